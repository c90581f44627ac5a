import type { IncomingMessage, ServerResponse } from 'node:http';
import { meterBody } from './body.ts';
import { sendProblem } from './respond.ts';

/** The bodies of requests under way, which take memory until they are answered. */
export interface HeldBodies {
  /**
   * Does the work while the request's body is counted: as large as its headers say, or as it is read. Answers 429 instead,
   * and true, where the subject's requests, or all together, hold as much as they may; or `readBody` rejects with it.
   */
  during(
    subject: string,
    req: IncomingMessage,
    res: ServerResponse,
    work: () => Promise<boolean>,
  ): Promise<boolean>;
}

export const HELD_BYTES = { each: 64 * 1024 * 1024, all: 256 * 1024 * 1024 } as const;
/** The most that any address takes: what is larger is refused there, and is not kept. */
const LARGEST_BYTES = 16 * 1024 * 1024;

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
  const problemWith = (subject: string, bytes: number): string | undefined => {
    const own = (held.get(subject) ?? 0) + bytes;
    if (own <= most.each && all + bytes <= most.all) return undefined;
    const [whose, limit] = own > most.each ? ['requests of yours', most.each] : ['requests of all', most.all];
    return `${whose} that are under way hold ${limit / 1024 / 1024} MiB of bodies, as much as they may; wait for one to end`;
  };
  return {
    during: async (subject, req, res, work) => {
      let bytes = 0;
      const take = (more: number): string | undefined => {
        const problem = problemWith(subject, more);
        if (problem !== undefined) return problem;
        bytes += more;
        count(subject, more);
        return undefined;
      };
      const { 'transfer-encoding': inPieces, 'content-length': said } = req.headers;
      if (inPieces !== undefined) meterBody(req, take);
      const problem = take(Math.min(Number(said ?? 0) || 0, LARGEST_BYTES));
      if (problem !== undefined) {
        sendProblem(res, 429, problem, { rule: 'held-bodies' }, { 'retry-after': '1' });
        return true;
      }
      try {
        return await work();
      } finally {
        count(subject, -bytes);
      }
    },
  };
}
