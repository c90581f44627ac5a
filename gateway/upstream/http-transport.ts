import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { isJsonObject, parseJson, type JsonObject } from '../contract/json.ts';
import { describeError, SessionLostError, UnavailableError } from './errors.ts';
import { discard, exchange, type JsonResponse, type StreamResponse } from './http-exchange.ts';
import type { Transport } from './peer.ts';

export interface HttpTarget {
  readonly url: URL;
  /** Sent with every request, references resolved. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
}

const BODY_LIMIT = 128 * 1024 * 1024;
const ERROR_BODY_LIMIT = 2_000;
/** How often in a row a broken stream is resumed without anything new coming. */
const RESUME_TRIES = 5;
const RESUME_PAUSE_MS = { usual: 1_000, most: 30_000 } as const;
const LISTEN_AGAIN_MS = 5_000;
/** A stream that stays open after the answer it was for is cut then; each holds a connection of the pool. */
const LINGER_MS = 1_000;

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
  /** Told when the server's address takes no connection. */
  onUnreachable: (reason: string) => void = () => undefined;
  private sessionId: string | undefined;
  private readonly target: HttpTarget;
  private readonly listening: Cursor = newCursor(LISTEN_AGAIN_MS);

  private readonly origin: string;
  private readonly path: string;

  constructor(target: HttpTarget) {
    this.target = target;
    this.origin = target.url.origin;
    this.path = target.url.pathname + target.url.search;
  }

  async send(message: JsonObject, signal: AbortSignal): Promise<boolean> {
    const { id } = message;
    const response = await this.exchange('POST', signal, { text: JSON.stringify(message) });
    const { statusCode, headers } = response;
    if (statusCode === 404 && this.sessionId !== undefined) {
      discard(response);
      throw new SessionLostError();
    }
    if (statusCode >= 300) throw await refused(response);
    const sessionId = headers['mcp-session-id'];
    if (typeof sessionId === 'string') this.sessionId = sessionId;
    if (message['method'] === undefined || typeof id !== 'number') discard(response);
    else if ('text' in response) this.onMessage(parseJson(response.text), id);
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

  private async exchange(
    method: 'POST' | 'GET' | 'DELETE',
    signal: AbortSignal,
    { text, lastEventId }: { readonly text?: string; readonly lastEventId?: string | undefined },
  ): Promise<JsonResponse | StreamResponse> {
    const { origin, path } = this;
    const { headers: own, dispatcher } = this.target;
    const headers: Record<string, string> = {
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    };
    if (text !== undefined) headers['content-type'] = 'application/json';
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
    if (this.sessionId !== undefined) headers['mcp-session-id'] = this.sessionId;
    if (this.protocolVersion !== undefined) headers['mcp-protocol-version'] = this.protocolVersion;
    Object.assign(headers, own);
    try {
      return await exchange(
        dispatcher,
        { origin, path, method, body: text ?? null, headers },
        signal,
        BODY_LIMIT,
      );
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      const reason = `${origin} cannot be reached (${describeError(error)})`;
      if (!signal.aborted && isRefusal(error)) this.onUnreachable(reason);
      throw new UnavailableError(reason);
    }
  }

  /** Reads a stream to its end, or until a moment after the answer to `asked`. True when that has come. */
  private async readEvents(body: Readable, cursor: Cursor, asked: number | undefined): Promise<boolean> {
    let linger: NodeJS.Timeout | undefined;
    const parser = createParser({
      maxBufferSize: BODY_LIMIT,
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded')
          throw new Error(`an event is over ${BODY_LIMIT} bytes`);
      },
      onRetry: (ms) => (cursor.retryMs = Math.min(ms, RESUME_PAUSE_MS.most)),
      onEvent: ({ id, data }) => {
        if (id !== undefined) cursor.lastEventId = id;
        if (data === '') return;
        const message = parseJson(data);
        this.onMessage(message, asked);
        if (asked === undefined || !isJsonObject(message) || message['method'] !== undefined) return;
        if (message['id'] === asked) linger ??= setTimeout(() => body.destroy(), LINGER_MS).unref();
      },
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
    } catch (error) {
      if (linger === undefined) throw new UnavailableError(`the stream broke (${describeError(error)})`);
    } finally {
      clearTimeout(linger);
    }
    return linger !== undefined;
  }
}

/** What keeps a connection from being made; one that breaks later may have been idle too long, and says nothing. */
const CANNOT_CONNECT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isRefusal(error: unknown): boolean {
  return error instanceof Error && CANNOT_CONNECT.has((error as NodeJS.ErrnoException).code);
}

function newCursor(retryMs: number): Cursor {
  return { lastEventId: undefined, retryMs };
}

function isEventStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('text/event-stream') === true;
}

async function refused(response: JsonResponse | StreamResponse): Promise<UnavailableError> {
  const { statusCode } = response;
  const text = 'body' in response ? (await shortText(response.body)).trim() : '';
  const meaning =
    statusCode === 401 || statusCode === 403
      ? `the server refused the gateway's credentials (HTTP ${statusCode}); check this server's auth`
      : `the server answered HTTP ${statusCode}`;
  return new UnavailableError(text === '' ? meaning : `${meaning}: ${text}`);
}

/** A short body as text, for an error; nothing of one that is long, which is a page and no message. */
async function shortText(body: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += (chunk as Buffer).toString('utf8');
      if (text.length > ERROR_BODY_LIMIT) return '';
    }
  } catch {
    // What came before the break is still worth telling.
  }
  return text;
}
