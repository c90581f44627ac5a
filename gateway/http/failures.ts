/** Counts wrong tokens by the address they come from. Memory is bounded: beyond that the oldest address is forgotten. */
export interface Failures {
  /** Takes down a wrong token. Answers for how many seconds this address is to wait; 0 while it may go on. */
  add(address: string): number;
}

const MAX_ADDRESSES = 10_000;
const WINDOW_MS = 60_000;
const ALLOWED = 30;

/** `now` in milliseconds, from any beginning. */
export function createFailures(now: () => number): Failures {
  const known = new Map<string, { count: number; until: number }>();
  return {
    add: (address) => {
      const at = now();
      let entry = known.get(address);
      if (entry === undefined || entry.until <= at) {
        known.delete(address);
        const [oldest] = known.keys();
        if (known.size >= MAX_ADDRESSES && oldest !== undefined) known.delete(oldest);
        known.set(address, (entry = { count: 0, until: at + WINDOW_MS }));
      }
      entry.count++;
      return entry.count <= ALLOWED ? 0 : Math.ceil((entry.until - at) / 1000);
    },
  };
}
