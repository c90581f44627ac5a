/** Calls that may wait for each place: a crowd at a shared server is served late, not refused. */
export const WAITING_PER_PLACE = 16;

/** Keeps the calls of one server under way within a number; so many for each place wait for their turn. */
export interface Bulkhead {
  /** Resolves when it is the caller's turn; undefined at once when too many wait. Rejects when `signal` aborts. */
  enter(limit: number, signal: AbortSignal): Promise<void> | 'free' | undefined;
  leave(): void;
  underWay(): number;
}

export function createBulkhead(): Bulkhead {
  let underWay = 0;
  const waiting = new Set<() => void>();
  return {
    enter: (limit, signal) => {
      if (underWay < limit) {
        underWay += 1;
        return 'free';
      }
      if (waiting.size >= limit * WAITING_PER_PLACE) return undefined;
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          waiting.delete(turn);
          reject(new Error('aborted'));
        };
        const turn = (): void => {
          signal.removeEventListener('abort', onAbort);
          waiting.delete(turn);
          resolve();
        };
        waiting.add(turn);
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
      });
    },
    leave: () => {
      const [next] = waiting;
      // The place goes on to whoever waits.
      if (next === undefined) underWay -= 1;
      else next();
    },
    underWay: () => underWay,
  };
}
