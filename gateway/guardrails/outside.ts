import type { createFetchAnswer } from '../upstream/fetch-json.ts';

/** What guards need to ask a service. */
export interface Outside {
  readonly fetchAnswer: ReturnType<typeof createFetchAnswer>;
  /** Gives a reference's value. */
  readonly resolve: (text: string) => string;
  readonly now: () => number;
}
