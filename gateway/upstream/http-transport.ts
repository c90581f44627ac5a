import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { type JsonObject } from '../contract/json.ts';
import { SessionLostError, UnavailableError } from './errors.ts';
import { parseMessage } from './message.ts';
import { discard, type JsonResponse, type StreamResponse } from './http-exchange.ts';
import {
  isEventStream,
  readEvents,
  refusal,
  refusalText,
  type HttpWire,
  type StreamReader,
} from './http-wire.ts';
import type { Transport } from './peer.ts';

/** How often in a row a broken stream is resumed without anything new coming. */
const RESUME_TRIES = 5;
const RESUME_PAUSE_MS = { usual: 1_000, most: 30_000 } as const;
const LISTEN_AGAIN_MS = 5_000;
/** How far a stream was read, so that it can be resumed after a break. */
interface Cursor {
  lastEventId: string | undefined;
  /** Milliseconds the server asks to wait before reconnecting. */
  retryMs: number;
}

/**
 * One session's exchanges over Streamable HTTP (MCP 2025-11-25, Transports). A stream that ends before its answer
 * is resumed with `Last-Event-ID` where the server gave its events ids.
 */
export class HttpTransport implements Transport {
  protocolVersion: string | undefined;
  /** Takes each message; `streamOf` is the id of the request on whose stream it came. */
  onMessage: (message: unknown, streamOf?: number) => void = () => undefined;
  private sessionId: string | undefined;
  private readonly wire: HttpWire;
  private readonly listening: Cursor = newCursor(LISTEN_AGAIN_MS);

  constructor(wire: HttpWire) {
    this.wire = wire;
  }

  async send(message: JsonObject, signal: AbortSignal): Promise<boolean> {
    const { id } = message;
    const response = await this.exchange('POST', signal, { text: JSON.stringify(message) });
    const { statusCode, headers } = response;
    if (statusCode === 404 && this.sessionId !== undefined) {
      discard(response);
      throw new SessionLostError();
    }
    if (statusCode >= 300) throw refusal(statusCode, await refusalText(response), headers);
    const sessionId = headers['mcp-session-id'];
    if (typeof sessionId === 'string') this.sessionId = sessionId;
    if (message['method'] === undefined || typeof id !== 'number') discard(response);
    else if ('text' in response) this.onMessage(parseMessage(response.text), id);
    else if (isEventStream(headers)) await this.readAnswer(response.body, id, signal);
    else {
      discard(response);
      throw new UnavailableError(`the server answered with ${headers['content-type'] ?? 'no content type'}`);
    }
    return true;
  }

  /** False when the server offers no stream. Resolves when the stream ends. */
  async listen(signal: AbortSignal): Promise<boolean> {
    const { lastEventId } = this.listening;
    const response = await this.exchange('GET', signal, { lastEventId });
    if (response.statusCode === 200 && isEventStream(response.headers) && 'body' in response) {
      await this.readEvents(response.body, this.listening, undefined);
      return true;
    }
    discard(response);
    return response.statusCode >= 500;
  }

  /** When to listen again, in milliseconds: what the server asks for, or a few seconds. */
  listenAgainMs(): number {
    return this.listening.retryMs;
  }

  async close(): Promise<void> {
    if (this.sessionId === undefined) return;
    await this.exchange('DELETE', AbortSignal.timeout(1_000), {})
      .then(discard)
      .catch(() => undefined);
  }

  /** Reads a request's stream until its answer has come, and resumes it where it breaks and can be resumed. */
  private async readAnswer(body: Readable, asked: number, signal: AbortSignal): Promise<void> {
    const cursor = newCursor(RESUME_PAUSE_MS.usual);
    let answered = await this.readEvents(body, cursor, asked).catch((error: unknown) => {
      if (cursor.lastEventId === undefined) throw error;
      return false;
    });
    for (let tries = 0; !answered && cursor.lastEventId !== undefined && tries < RESUME_TRIES; tries++) {
      const from = cursor.lastEventId;
      await sleep(cursor.retryMs, undefined, { signal, ref: false });
      answered = await this.resume(cursor, asked, signal);
      if (cursor.lastEventId !== from) tries = 0;
    }
  }

  private async resume(cursor: Cursor, asked: number, signal: AbortSignal): Promise<boolean> {
    const { lastEventId } = cursor;
    try {
      const response = await this.exchange('GET', signal, { lastEventId });
      if (response.statusCode === 200 && isEventStream(response.headers) && 'body' in response) {
        return await this.readEvents(response.body, cursor, asked);
      }
      discard(response);
    } catch (error) {
      if (signal.aborted) throw error;
    }
    return false;
  }

  private exchange(
    method: 'POST' | 'GET' | 'DELETE',
    signal: AbortSignal,
    { text, lastEventId }: { readonly text?: string; readonly lastEventId?: string | undefined },
  ): Promise<JsonResponse | StreamResponse> {
    const headers: Record<string, string> = {
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    };
    if (text !== undefined) headers['content-type'] = 'application/json';
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
    if (this.sessionId !== undefined) headers['mcp-session-id'] = this.sessionId;
    if (this.protocolVersion !== undefined) headers['mcp-protocol-version'] = this.protocolVersion;
    return this.wire.exchange(method, headers, text ?? null, signal);
  }

  private readEvents(body: Readable, cursor: Cursor, asked: number | undefined): Promise<boolean> {
    const reader: StreamReader = {
      onMessage: (message) => this.onMessage(message, asked),
      onId: (id) => (cursor.lastEventId = id),
      onRetry: (ms) => (cursor.retryMs = Math.min(ms, RESUME_PAUSE_MS.most)),
    };
    return readEvents(body, reader, asked);
  }
}

function newCursor(retryMs: number): Cursor {
  return { lastEventId: undefined, retryMs };
}
