import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { SHARING_PATH, sharingAnswerSchema } from '../contract/sharing.ts';
import type { Sharing } from '../identity/sharing.ts';

/** A gateway that another window started, with all the same as this one would be. */
export interface SharedGateway {
  readonly address: string;
  readonly pid: number;
  readonly version: string;
}

/** What was found on the port; `other-start` is a gateway of the same owner that runs with something else. */
export type Found = SharedGateway | 'other-start' | undefined;

const ANSWER_TIMEOUT_MS = 2_000;
const ANSWER_LIMIT = 10_000;
const WATCH_EVERY_MS = 500;
/** A gateway that is busy may miss an answer or two. */
const MISSES = 3;

/** Looks for a gateway of the same owner at the address. Nothing secret is sent. */
export async function findShared(sharing: Sharing, host: string, port: number): Promise<Found> {
  const nonce = randomBytes(16).toString('hex');
  const address = `http://${host === '::1' ? '[::1]' : host}:${port}`;
  try {
    const { statusCode, body } = await request(`${address}${SHARING_PATH}?nonce=${nonce}`, {
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const text = await limited(body);
    if (statusCode !== 200 || text === undefined) return undefined;
    const answer = sharingAnswerSchema.parse(JSON.parse(text));
    const verdict = sharing.judge(nonce, port, answer);
    if (verdict === 'same') return { address, pid: answer.pid, version: answer.version };
    return verdict === 'stranger' ? undefined : verdict;
  } catch {
    // Whatever does not answer so is no gateway of ours; listening there will say what is wrong.
    return undefined;
  }
}

/**
 * Resolves when `find` does not find the gateway any more, or finds another in its place, or when the signal aborts.
 */
export async function untilGone(
  { pid }: SharedGateway,
  find: () => Promise<Found>,
  signal: AbortSignal,
): Promise<void> {
  for (let missed = 0; missed < MISSES && !signal.aborted;) {
    await sleep(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
    const found = await find();
    if (found === 'other-start' || (found !== undefined && found.pid !== pid)) return;
    missed = found === undefined ? missed + 1 : 0;
  }
}

async function limited(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  let text = '';
  for await (const chunk of body) {
    text += chunk.toString();
    if (text.length > ANSWER_LIMIT) return undefined;
  }
  return text;
}
