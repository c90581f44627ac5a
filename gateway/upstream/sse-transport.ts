import { createParser } from 'eventsource-parser';
import type { Readable } from 'node:stream';
import { type JsonObject } from '../contract/json.ts';
import { authorized } from './authorized.ts';
import { describeError, UnavailableError } from './errors.ts';
import { parseMessage } from './message.ts';
import { discard, exchange, type JsonResponse, type StreamResponse } from './http-exchange.ts';
import type { HttpTarget } from './http-wire.ts';
import type { Transport } from './peer.ts';

/** The longest event, and the longest answer to a POST, in bytes. */
const EVENT_LIMIT = 128 * 1024 * 1024;
const POST_ANSWER_LIMIT = 1024 * 1024;

/**
 * One session over the HTTP+SSE transport of MCP 2024-11-05: a stream that carries all that the server says, and
 * an address, told by its first event, that takes what the client says.
 */
export class SseTransport implements Transport {
  onMessage: (message: unknown) => void = () => undefined;
  /** Told once when the stream has ended, in words; the session ends with it. */
  onEnded: (reason: string) => void = () => undefined;
  private readonly target: HttpTarget;
  private readonly closing = new AbortController();
  private endpoint: URL | undefined;

  constructor(target: HttpTarget) {
    this.target = target;
  }

  /** Opens the stream. Resolves when the server has told where to post; rejects with an `UnavailableError`. */
  async open(signal: AbortSignal): Promise<void> {
    const opening = new AbortController();
    const giveUp = (): void => opening.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    this.closing.signal.addEventListener('abort', giveUp, { once: true });
    try {
      const response = await this.exchange(this.target.url, 'GET', opening.signal, undefined);
      const type = response.headers['content-type'] ?? 'no content type';
      if (response.statusCode !== 200 || !type.startsWith('text/event-stream') || !('body' in response)) {
        discard(response);
        throw new UnavailableError(
          response.statusCode === 200 ? `the server answered with ${type}` : refusal(response.statusCode),
        );
      }
      await this.greeted(response.body, opening.signal);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async send(message: JsonObject, signal: AbortSignal): Promise<boolean> {
    if (this.endpoint === undefined) throw new UnavailableError('the server has not said where to post');
    const response = await this.exchange(this.endpoint, 'POST', signal, JSON.stringify(message));
    discard(response);
    if (response.statusCode >= 300) throw new UnavailableError(refusal(response.statusCode));
    return false;
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  /** Reads the stream on and on; resolves with the `endpoint` event, which comes first. */
  private greeted(body: Readable, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => body.destroy(), { once: true });
      this.read(body, (address) => {
        this.endpoint = endpointOf(address, this.target.url);
        resolve();
      }).then(
        () => this.ended('the server ended its event stream', reject),
        (error: unknown) => this.ended(`the event stream broke (${describeError(error)})`, reject),
      );
    });
  }

  private ended(reason: string, reject: (error: Error) => void): void {
    reject(new UnavailableError(reason));
    if (!this.closing.signal.aborted) this.onEnded(reason);
  }

  private async read(body: Readable, onEndpoint: (address: string) => void): Promise<void> {
    const parser = createParser({
      maxBufferSize: EVENT_LIMIT,
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded')
          throw new Error(`an event is over ${EVENT_LIMIT / 1024 / 1024} MB`);
      },
      onEvent: ({ event, data }) => {
        if (event === 'endpoint') onEndpoint(data);
        else if (event === undefined || event === 'message') this.onMessage(parseMessage(data));
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of body) parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
  }

  private async exchange(
    url: URL,
    method: 'GET' | 'POST',
    signal: AbortSignal,
    body: string | undefined,
  ): Promise<JsonResponse | StreamResponse> {
    const headers: Record<string, string> = {
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...this.target.headers,
    };
    const options = { origin: url.origin, path: url.pathname + url.search, method, headers };
    const { authorizer, dispatcher } = this.target;
    const send = (): Promise<JsonResponse | StreamResponse> =>
      exchange(dispatcher, { ...options, body: body ?? null }, signal, POST_ANSWER_LIMIT);
    try {
      return await (authorizer === undefined ? send() : authorized(authorizer, headers, send));
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      throw new UnavailableError(`${url.origin} cannot be reached (${describeError(error)})`);
    }
  }
}

/** Credentials go to the address they were given for, and to no other that the server names. */
function endpointOf(address: string, base: URL): URL {
  const url = URL.canParse(address, base.href) ? new URL(address, base) : undefined;
  if (url?.origin !== base.origin)
    throw new Error(`the server wants messages at ${address}, which is not of its own origin ${base.origin}`);
  return url;
}

function refusal(statusCode: number): string {
  if (statusCode === 401 || statusCode === 403)
    return `the server refused the gateway's credentials (HTTP ${statusCode}); check this server's auth`;
  if (statusCode === 404 || statusCode === 405)
    return `the server answered HTTP ${statusCode}; does it speak Streamable HTTP (transport: streamable-http)?`;
  return `the server answered HTTP ${statusCode}`;
}
