import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendProblem } from './respond.ts';

/** The bodies of requests under way, which take memory until they are answered. */
export interface HeldBodies {
  /**
   * Does the work while the request's body is counted, as large as its headers say; answers 429 instead, and true, where
   * the subject's requests, or all together, hold as much as they may.
   */
  during(
    subject: string,
    req: IncomingMessage,
    res: ServerResponse,
    work: () => Promise<boolean>,
  ): Promise<boolean>;
}

export const HELD_BYTES = { each: 64 * 1024 * 1024, all: 256 * 1024 * 1024 } as const;
/** Of a body that does not say how large it is: the most that any address takes. */
const UNSAID_BYTES = 16 * 1024 * 1024;

export function createHeldBodies(most: typeof HELD_BYTES = HELD_BYTES): HeldBodies {
  /** By subject. */
  const held = new Map<string, number>();
  let all = 0;
  const count = (subject: string, bytes: number): void => {
    all += bytes;
    const own = (held.get(subject) ?? 0) + bytes;
    if (own > 0) held.set(subject, own);
    else held.delete(subject);
  };
  return {
    during: async (subject, req, res, work) => {
      const bytes = bytesOf(req);
      if (bytes === 0) return work();
      const own = (held.get(subject) ?? 0) + bytes;
      if (own > most.each || all + bytes > most.all) {
        const [whose, limit] =
          own > most.each ? ['requests of yours', most.each] : ['requests of all', most.all];
        const detail = `${whose} that are under way hold ${limit / 1024 / 1024} MiB of bodies, as much as they may; wait for one to end`;
        sendProblem(res, 429, detail, { rule: 'held-bodies' }, { 'retry-after': '1' });
        return true;
      }
      count(subject, bytes);
      try {
        return await work();
      } finally {
        count(subject, -bytes);
      }
    },
  };
}

/** More than any address takes is refused there, and is not kept. */
function bytesOf({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return UNSAID_BYTES;
  return Math.min(Number(headers['content-length'] ?? 0) || 0, UNSAID_BYTES);
}
