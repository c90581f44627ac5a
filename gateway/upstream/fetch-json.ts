import { request } from 'undici';
import type { Dispatchers } from './dispatcher.ts';
import { describeError } from './errors.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

/** One small request to an address that somebody gave. */
export interface SmallRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | undefined;
}

/**
 * Fetches a small JSON document from an address that somebody gave: public when it is dialled, unless consented to;
 * no redirect is followed. Rejects within seconds, in words for a person.
 */
export function createFetchJson(
  dispatchers: Dispatchers,
): (url: string, allowPrivateAddress: boolean) => Promise<unknown> {
  return async (url, allowPrivateAddress) => {
    const { host } = new URL(url);
    try {
      const get = { method: 'GET', headers: { accept: 'application/json' } };
      const { status, bytes } = await small(dispatchers, url, get, allowPrivateAddress);
      if (status !== 200) throw new Error(`HTTP ${status}`);
      return JSON.parse(bytes.toString('utf8')) as unknown;
    } catch (error) {
      throw new Error(`${host} gives no such document (${describeError(error)})`, { cause: error });
    }
  };
}

/** The same for any request, whatever the status of its answer. */
export function createFetchAnswer(
  dispatchers: Dispatchers,
): (url: string, request: SmallRequest, allowPrivateAddress: boolean) => Promise<Response> {
  return async (url, wanted, allowPrivateAddress) => {
    try {
      const { status, headers, bytes } = await small(dispatchers, url, wanted, allowPrivateAddress);
      return new Response(status === 204 || status === 304 ? null : new Uint8Array(bytes), {
        status,
        headers,
      });
    } catch (error) {
      throw new Error(`${new URL(url).host} does not answer (${describeError(error)})`, { cause: error });
    }
  };
}

async function small(
  dispatchers: Dispatchers,
  url: string,
  { method, headers, body: sent }: SmallRequest,
  allowPrivateAddress: boolean,
): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const {
    statusCode,
    headers: answered,
    body,
  } = await request(url, {
    dispatcher: dispatchers.for(allowPrivateAddress),
    method,
    headers,
    ...(sent !== undefined && { body: sent }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`over ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const all = new Headers();
  for (const [name, value] of Object.entries(answered))
    for (const one of [value ?? []].flat()) all.append(name, one);
  return { status: statusCode, headers: all, bytes: Buffer.concat(chunks) };
}
