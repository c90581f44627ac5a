import { request } from 'undici';
import type { Dispatchers } from './dispatcher.ts';
import { describeError } from './errors.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

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
      const { statusCode, body } = await request(url, {
        dispatcher: dispatchers.for(allowPrivateAddress),
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BYTES) throw new Error(`over ${MAX_BYTES} bytes`);
        chunks.push(chunk);
      }
      if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
      return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
    } catch (error) {
      throw new Error(`${host} gives no such document (${describeError(error)})`, { cause: error });
    }
  };
}
