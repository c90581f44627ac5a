import { request } from 'undici';
import type { Dispatchers } from '../../upstream/dispatcher.ts';
import { isConfidential } from '../../config/address.ts';
import { OauthError } from './errors.ts';

/** An exchange with an authorization server, or with what names one. */
export interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Rejects with an `OauthError`: no TLS, no public address without consent, no answer in time, or too long a one. */
export type OauthFetch = (url: string, asked: Asked) => Promise<Response>;

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 256 * 1024;

/** No redirect is followed: what is sent is secret. */
export function createOauthFetch(dispatchers: Dispatchers): (allowPrivateAddress: boolean) => OauthFetch {
  return (allowPrivateAddress) =>
    async (url, { method, headers, body }) => {
      if (!isConfidential(url))
        throw new OauthError(`${url} is not an https address, and what is sent there is secret`);
      try {
        const answer = await request(url, {
          dispatcher: dispatchers.for(allowPrivateAddress),
          method: method as 'GET' | 'POST',
          headers,
          body: body ?? null,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of answer.body as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > MAX_BYTES) throw new Error(`its answer is over ${MAX_BYTES} bytes`);
          chunks.push(chunk);
        }
        const text = Buffer.concat(chunks);
        return new Response(text.length === 0 ? null : text, {
          status: answer.statusCode,
          headers: headersOf(answer.headers),
        });
      } catch (error) {
        const why =
          error instanceof Error ? (error.name === 'TimeoutError' ? 'no answer in time' : error.message) : '';
        throw new OauthError(`${new URL(url).origin} cannot be asked for authorization (${why})`, {
          cause: error,
        });
      }
    };
}

function headersOf(headers: Record<string, string | string[] | undefined>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((one): [string, string][] =>
      one === undefined ? [] : [[name, one]],
    ),
  );
}

/** A small JSON document; undefined when there is none at the address. */
export async function getJson(fetch: OauthFetch, url: string): Promise<unknown> {
  const response = await fetch(url, { method: 'GET', headers: { accept: 'application/json' } });
  if (response.status !== 200) return undefined;
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
