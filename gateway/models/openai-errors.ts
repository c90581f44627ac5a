import type { Dispatcher } from 'undici';
import { isJsonObject } from '../contract/json.ts';
import { ModelError, type ModelErrorReason } from './model.ts';

/** Whose error it is; the key is only here so that it can be struck out of what the provider says. */
export interface Origin {
  readonly provider: string;
  readonly apiKey: string | undefined;
}

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_MESSAGE_CHARS = 500;

/** The error for an answer whose status is not 200. Reads its body, as far as 64 kB. */
export async function refusalOf(
  response: Dispatcher.ResponseData,
  origin: Origin & { model: string | undefined },
): Promise<ModelError> {
  const status = response.statusCode;
  const said = providerMessage(await readBounded(response.body, MAX_ERROR_BYTES, true), origin);
  const reason = reasonOf(status);
  const retryAfter = retrySeconds(response.headers['retry-after']);
  return new ModelError(
    reason,
    `${explain(reason, status, origin)}${said === '' ? '' : ` It says: ${said}`}`,
    {
      status,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    },
  );
}

/** The error for an `error` that arrived inside a stream. */
export function streamedError(error: unknown, origin: Origin): ModelError {
  const code = isJsonObject(error) ? Number(error['code'] ?? error['status']) : NaN;
  const status = Number.isInteger(code) && code >= 400 && code < 600 ? code : undefined;
  const said = providerMessage(JSON.stringify({ error }), origin);
  return new ModelError(
    status === undefined ? 'unavailable' : reasonOf(status),
    `Provider "${origin.provider}" broke off its answer with an error. It says: ${said}`,
    status === undefined ? {} : { status },
  );
}

/** The error for a connection that could not be made or broke. A `ModelError` passes as it is. */
export function transportError(error: unknown, origin: Origin): ModelError {
  if (error instanceof ModelError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const cause = redact(error instanceof Error ? error.message || code : String(error), origin);
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new ModelError(
      'timeout',
      `Provider "${origin.provider}" could not be connected to in time: ${cause}`,
    );
  }
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'UND_ERR_ABORTED') {
    return new ModelError('stream-broken', `The connection to provider "${origin.provider}" broke: ${cause}`);
  }
  return new ModelError('unavailable', `Provider "${origin.provider}" cannot be reached: ${cause}`);
}

/** A body as text, of at most `limit` bytes: cut there when `cut` is set, else a `ModelError`. */
export async function readBounded(body: AsyncIterable<unknown>, limit: number, cut = false): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = chunk as Uint8Array;
    size += bytes.byteLength;
    chunks.push(bytes);
    if (size <= limit) continue;
    if (!cut) throw new ModelError('unavailable', `The provider's answer is larger than ${limit} bytes.`);
    break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, limit);
}

function reasonOf(status: number): ModelErrorReason {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'unknown-model';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'rate-limited';
  return status >= 400 && status < 500 ? 'bad-request' : 'unavailable';
}

function explain(
  reason: ModelErrorReason,
  status: number,
  origin: Origin & { model: string | undefined },
): string {
  const who = `Provider "${origin.provider}"`;
  switch (reason) {
    case 'unauthorized':
      return `${who} refused the gateway's key (${status}); check the provider's apiKey in the configuration.`;
    case 'unknown-model':
      return `${who} does not know ${origin.model === undefined ? 'the address' : `the model "${origin.model}"`} (${status}); check the name and the provider's baseUrl.`;
    case 'rate-limited':
      return `${who} limits the rate of requests (${status}); try again later.`;
    case 'bad-request':
      return `${who} refused the request (${status}).`;
    default:
      return `${who} failed (${status}).`;
  }
}

function providerMessage(text: string, origin: Origin): string {
  return redact(wordsOf(text), origin).replace(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE_CHARS);
}

function wordsOf(text: string): string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // An HTML error page says nothing a person can use.
    return text.trimStart().startsWith('<') ? '' : text;
  }
  const error = isJsonObject(body) ? (body['error'] ?? body['message'] ?? body['detail']) : body;
  const message = isJsonObject(error) ? (error['message'] ?? error) : error;
  return typeof message === 'string' ? message : JSON.stringify(message ?? '');
}

function redact(text: string, origin: Origin): string {
  const known = origin.apiKey === undefined ? text : text.replaceAll(origin.apiKey, '[redacted]');
  return known.replace(/\b(?:sk|key|pk)-[\w*-]{6,}/g, '[redacted]');
}

/** Seconds to wait, from either form of `Retry-After` (RFC 9110, 10.2.3). */
function retrySeconds(header: string | string[] | undefined): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return undefined;
  const wait = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, Math.ceil(wait)) : undefined;
}
