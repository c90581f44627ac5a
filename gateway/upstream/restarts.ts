const BACKOFF_MS = { first: 1_000, most: 60_000 } as const;

/** How often a server may be started again by itself. */
export interface RestartBudget {
  readonly most: number;
  readonly withinMs: number;
}

/** What is sensible for a process: eight restarts take three minutes of growing pauses. */
export const PROCESS_RESTARTS: RestartBudget = { most: 8, withinMs: 10 * 60_000 };

/** The pauses before a server is started again: each is twice as long as the one before. */
export interface Restarts {
  /** The pause before the next restart, in milliseconds; undefined when the budget is spent. */
  next(): number | undefined;
  /** A connection has lasted: the pauses start over. */
  steady(): void;
  /** Someone asked for the server: the budget starts over. */
  asked(): void;
}

/** Without a budget there is no end to it. */
export function createRestarts(budget: RestartBudget | undefined): Restarts {
  let failures = 0;
  let made: number[] = [];
  return {
    next: () => {
      const now = Date.now();
      if (budget !== undefined) {
        made = made.filter((at) => now - at < budget.withinMs);
        if (made.length >= budget.most) return undefined;
        made.push(now);
      }
      const pause = Math.min(BACKOFF_MS.first * 2 ** failures++, BACKOFF_MS.most);
      return pause * (0.8 + Math.random() * 0.4);
    },
    steady: () => {
      failures = 0;
    },
    asked: () => {
      made = [];
    },
  };
}
