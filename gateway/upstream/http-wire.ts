import { createParser } from 'eventsource-parser';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { isJsonObject, parseJson } from '../contract/json.ts';
import { authorized, challengeIn, type Authorizer } from './authorized.ts';
import { parseMessage } from './message.ts';
import { describeError, HttpStatusError, UnavailableError } from './errors.ts';
import { exchange, type JsonResponse, type StreamResponse } from './http-exchange.ts';

export interface HttpTarget {
  readonly url: URL;
  /** Sent with every request, references resolved. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  /** Gives each request its token, where the server wants one. */
  readonly authorizer?: Authorizer | undefined;
}

const BODY_LIMIT = 128 * 1024 * 1024;
/** A longer text of a refused request is a page and no message. */
const REFUSAL_LIMIT = 2_000;
const ERROR_BODY_LIMIT = 1024 * 1024;
/** A stream that stays open after the answer it was for is cut then; each holds a connection of the pool. */
const LINGER_MS = 1_000;

/** What a reader of a stream learns beside its messages. */
export interface StreamReader {
  readonly onMessage: (message: unknown) => void;
  readonly onId?: (id: string) => void;
  readonly onRetry?: (ms: number) => void;
}

/** HTTP exchanges with one server, of either era. */
export class HttpWire {
  /** Told when the server's address takes no connection. */
  onUnreachable: (reason: string) => void = () => undefined;
  private readonly target: HttpTarget;
  private readonly origin: string;
  private readonly path: string;

  constructor(target: HttpTarget) {
    this.target = target;
    this.origin = target.url.origin;
    this.path = target.url.pathname + target.url.search;
  }

  /** `headers` in small letters; the configured ones are added. Rejects with an `UnavailableError` in words. */
  async exchange(
    method: 'POST' | 'GET' | 'DELETE',
    headers: Record<string, string>,
    text: string | null,
    signal: AbortSignal,
  ): Promise<JsonResponse | StreamResponse> {
    const { origin, path } = this;
    const { authorizer, dispatcher } = this.target;
    Object.assign(headers, this.target.headers);
    const send = (): Promise<JsonResponse | StreamResponse> =>
      exchange(dispatcher, { origin, path, method, body: text, headers }, signal, BODY_LIMIT);
    try {
      if (authorizer === undefined) return await send();
      if (method === 'POST') return await authorized(authorizer, headers, send);
      // Streams are asked for again and again: none of them is worth a sign-in or a renewal.
      headers['authorization'] = await authorizer.header();
      return await send();
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      const reason = `${origin} cannot be reached (${describeError(error)})`;
      const unsent = isRefusal(error);
      if (!signal.aborted && unsent) this.onUnreachable(reason);
      throw new UnavailableError(reason, { unsent });
    }
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

export function isEventStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('text/event-stream') === true;
}

/** Reads a stream to its end, or until a moment after the answer to `asked`. True when that has come. */
export async function readEvents(
  body: Readable,
  reader: StreamReader,
  asked: number | undefined,
): Promise<boolean> {
  let linger: NodeJS.Timeout | undefined;
  const parser = createParser({
    maxBufferSize: BODY_LIMIT,
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw new Error(`an event is over ${BODY_LIMIT} bytes`);
    },
    onRetry: (ms) => reader.onRetry?.(ms),
    onEvent: ({ id, data }) => {
      if (id !== undefined) reader.onId?.(id);
      if (data === '') return;
      const message = parseMessage(data);
      reader.onMessage(message);
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

/** The text of a refused request's body, as far as it came; none of one that is too long. */
export async function refusalText(response: JsonResponse | StreamResponse): Promise<string> {
  if ('text' in response) return response.text;
  let text = '';
  try {
    for await (const chunk of response.body) {
      text += (chunk as Buffer).toString('utf8');
      if (text.length > ERROR_BODY_LIMIT) return '';
    }
  } catch {
    // What came before the break is still worth telling.
  }
  return text;
}

/** What a refused request means, in words, with the JSON-RPC error that its body may hold. */
export function refusal(
  statusCode: number,
  text: string,
  headers: Pick<IncomingHttpHeaders, 'www-authenticate' | 'retry-after'>,
): HttpStatusError {
  const signsIn = challengeIn(headers)?.resourceMetadata !== undefined;
  const advice = signsIn ? '; it has people sign in: auth: { type: oauth2 }' : "; check this server's auth";
  const meaning =
    statusCode === 401 || statusCode === 403
      ? `the server refused the gateway's credentials (HTTP ${statusCode})${advice}`
      : `the server answered HTTP ${statusCode}`;
  const said = text.length > REFUSAL_LIMIT ? '' : text.trim();
  const body = parseJson(text);
  const rpc = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : undefined;
  const words = said === '' ? meaning : `${meaning}: ${said}`;
  return new HttpStatusError(words, statusCode, rpc, retryAfterOf(headers['retry-after']));
}

const LONGEST_WAIT_MS = 86_400_000;

/** Seconds or a date (RFC 9110, Retry-After), as milliseconds from now: a day at most, whatever a server writes. */
export function retryAfterOf(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), LONGEST_WAIT_MS);
}
