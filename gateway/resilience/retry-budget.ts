/** How many tries after the first a server may be given: a share of its calls, and a few to begin with. */
export interface RetryBudget {
  /** Counts a call; `percent` of calls may be tries after the first. */
  called(percent: number): void;
  /** Takes one try; false when there is none left. */
  take(): boolean;
}

const FIRST = 3;
const MOST = 20;

export function createRetryBudget(): RetryBudget {
  let left = FIRST;
  return {
    called: (percent) => {
      left = Math.min(MOST, left + percent / 100);
    },
    take: () => {
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}

/** A pause before try number `attempt` (from 1), anywhere up to a bound that doubles: callers do not come back together. */
export function pauseBefore(attempt: number, pause: number, maxPause: number, random: () => number): number {
  return Math.floor(random() * Math.min(maxPause, pause * 2 ** (attempt - 1)));
}
