import type { SharedState } from '../storage/contracts.ts';
import { periodOf } from './period.ts';
import { keyOf, modeOf, resetsAt, type Holder, type Limit, type LimitRule, type Unit } from './rules.ts';

/** A budget of which so much is spent. */
export interface Alert {
  readonly rule: string;
  readonly mode: 'enforce' | 'audit';
  readonly holder: Readonly<Record<string, string>>;
  /** The threshold that was reached. */
  readonly percent: number;
  readonly unit: Unit;
  readonly used: number;
  readonly amount: number;
  /** As it was written: `500/month`. */
  readonly limit: string;
  /** When its period ends, in ms since the epoch. */
  readonly resetsAt: number | null;
}

/** Says what is spent of budgets: each threshold once in a period, also over a restart. */
export interface Alerts {
  /** Before a call is counted: what had been spent by then is no news. */
  watch(rule: LimitRule, holder: Holder): void;
  /** After it. */
  counted(rule: LimitRule, holder: Holder): void;
  /** The counters of a rule begin anew: what was said of them is news again. */
  forget(rule: string): void;
}

/** Counters whose thresholds are remembered. */
const MAX_WATCHED = 10_000;

export function createAlerts(state: SharedState, now: () => number, onAlert: (alert: Alert) => void): Alerts {
  /** The highest threshold that was said, by counter, and the period in which it was. */
  const said = new Map<string, { readonly period: number; percent: number }>();
  const reached = ({ alerts }: LimitRule, { amount }: Limit, used: number): number =>
    alerts.findLast((percent) => used * 100 >= percent * amount) ?? 0;
  const known = (rule: LimitRule, limit: Limit, key: string): { percent: number } => {
    const period = typeof limit.window === 'string' ? periodOf(limit.window, now()).start : 0;
    const before = said.get(key);
    if (before?.period === period) return before;
    const [oldest] = said.keys();
    if (before === undefined && said.size >= MAX_WATCHED && oldest !== undefined) said.delete(oldest);
    // What is in a period that has begun since was counted here: all of it is news.
    const percent = before === undefined ? reached(rule, limit, state.used(key, limit.window)) : 0;
    const record = { period, percent };
    said.set(key, record);
    return record;
  };
  return {
    watch: (rule, holder) => {
      if (rule.alerts.length === 0) return;
      for (const limit of rule.limits) known(rule, limit, keyOf(rule, holder, limit));
    },
    counted: (rule, holder) => {
      if (rule.alerts.length === 0) return;
      for (const limit of rule.limits) {
        const key = keyOf(rule, holder, limit);
        const used = state.used(key, limit.window);
        const percent = reached(rule, limit, used);
        const record = known(rule, limit, key);
        if (percent <= record.percent) continue;
        record.percent = percent;
        const { unit, amount, text } = limit;
        onAlert({
          ...{ rule: rule.name, mode: modeOf(rule), holder: holder.values, percent },
          ...{ unit, used, amount, limit: text, resetsAt: resetsAt(limit, now()) },
        });
      }
    },
    forget: (rule) => {
      for (const key of said.keys()) if (key.startsWith(`${rule} `)) said.delete(key);
    },
  };
}
