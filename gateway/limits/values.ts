import type { PolicyFacts } from '../access/when.ts';
import type { LimitRule } from './rules.ts';

/**
 * Which values of metadata have counters of their own. A caller says what it likes: one that makes up a value for each
 * call would never meet a limit, and would take up the counters of everybody.
 */
export interface KnownValues {
  /** The facts as a rule counts them: beyond so many values, a caller counts as one who says nothing. */
  counted(rule: LimitRule, facts: PolicyFacts): PolicyFacts;
}

/** Values of one caller that have counters of their own at once, for each rule. */
export const MAX_VALUES = 256;
const MAX_CALLERS = 10_000;
/** A value is in use for this long at least: as long as calls are under way, about. */
const SHORTEST_MS = 60_000;
const DAY_MS = 86_400_000;
const LONGEST_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 31 * DAY_MS } as const;
const METADATA = 'metadata.';

export function createKnownValues(now: () => number): KnownValues {
  /** By rule and caller: when each value was last sent, the one not sent for longest first. */
  const callers = new Map<string, Map<string, number>>();
  return {
    counted: (rule, facts) => {
      const keys = rule.per.filter((one) => one.startsWith(METADATA));
      if (keys.length === 0) return facts;
      const sent = keys.map((key) => facts.metadata[key.slice(METADATA.length)] ?? null);
      if (sent.every((one) => one === null)) return facts;
      const caller = `${rule.name} ${facts.person.subject}`;
      let values = callers.get(caller);
      if (values === undefined) {
        const [first] = callers.keys();
        if (callers.size >= MAX_CALLERS && first !== undefined) callers.delete(first);
        callers.set(caller, (values = new Map<string, number>()));
      }
      const value = JSON.stringify(sent);
      if (!values.delete(value) && values.size >= MAX_VALUES) {
        const [oldest] = values;
        // Its counters have not run out yet.
        if (oldest === undefined || now() - oldest[1] <= lastsFor(rule)) return { ...facts, metadata: {} };
        values.delete(oldest[0]);
      }
      values.set(value, now());
      return facts;
    },
  };
}

/** For how long a value's counters may still hold something after it was sent. */
function lastsFor({ limits }: LimitRule): number {
  const windows = limits.map(({ window }) =>
    typeof window === 'number' ? window * (61 / 60) : LONGEST_MS[window],
  );
  return Math.max(SHORTEST_MS, ...windows);
}
