import { timeLeft } from '../gateway/contract/approval-text.ts';
import { holderText, type CounterView } from '../gateway/contract/limits.ts';

/** How much of a limit is used: past one of its thresholds, or all of it. */
export type LimitLevel = 'fine' | 'much' | 'full';

/** Thresholds of a limit that names none. */
const DEFAULT_ALERTS = [75];
const HOURS_48_MS = 172_800_000;

/** What a counter's row says. */
export interface LimitWords {
  readonly level: LimitLevel;
  /** `82 %`; 100 only where nothing is left. */
  readonly percent: string;
  /** What is counted, and in which time: `calls/day`, `calls at once`. */
  readonly counts: string;
  /** `$412.50 of $500/month`, `12 of 50 calls/day`, `3 of 4 calls at once`. */
  readonly used: string;
  readonly whose: string;
  /** How it stands, in words; empty while there is nothing to say. */
  readonly state: string;
  /** When there is room again, or its period ends; empty where neither is to be waited for. */
  readonly until: string;
}

export function limitWords(counter: CounterView, now: number): LimitWords {
  const { mode, holder, resetsAt, roomAt } = counter;
  const level = levelOf(counter);
  const room = roomAt === null ? '' : `room again ${when(roomAt, now)}`;
  const until = resetsAt === null ? room : `begins anew ${when(resetsAt, now)}`;
  const full = mode === 'audit' ? 'used up, refuses nothing' : 'used up';
  const much = isPlaces(counter) ? 'no place is free' : `${passed(counter)} % reached`;
  return {
    ...{ level, until, percent: percentOf(counter), used: usedOf(counter) },
    counts: countsOf(counter),
    whose: holderText(holder) || 'all callers together',
    state: { fine: '', much, full }[level],
  };
}

/** What is used, as a part of the whole; 1 where the whole is nothing. */
export function shareOf({ used, amount }: CounterView): number {
  return amount === 0 ? 1 : used / amount;
}

/** What tells counters apart. */
export function counterKey({ policy, unit, limit, holder }: CounterView): string {
  return JSON.stringify([policy, unit, limit, Object.entries(holder)]);
}

function levelOf(counter: CounterView): LimitLevel {
  // A place is free again when a call ends: to have them all taken is no alarm.
  if (isPlaces(counter)) return shareOf(counter) >= 1 ? 'much' : 'fine';
  if (shareOf(counter) >= 1) return 'full';
  return passed(counter) === undefined ? 'fine' : 'much';
}

/** The highest threshold that is reached. */
function passed(counter: CounterView): number | undefined {
  const { alerts } = counter;
  return (alerts.length === 0 ? DEFAULT_ALERTS : alerts).findLast(
    (percent) => shareOf(counter) * 100 >= percent,
  );
}

function percentOf(counter: CounterView): string {
  const percent = shareOf(counter) * 100;
  return percent > 0 && percent < 1 ? '< 1 %' : `${Math.floor(percent).toLocaleString('en')} %`;
}

function usedOf(counter: CounterView): string {
  const { used, amount, unit, limit } = counter;
  if (unit === 'cost') return `${dollars(used)} of ${dollars(amount)}/${windowOf(limit)}`;
  return `${number(used)} of ${number(amount)} ${countsOf(counter)}`;
}

function countsOf(counter: CounterView): string {
  return isPlaces(counter) ? 'calls at once' : `${counter.unit}/${windowOf(counter.limit)}`;
}

function isPlaces({ unit }: CounterView): boolean {
  return unit === 'concurrency';
}

function windowOf(limit: string): string {
  return limit.split('/').at(-1) ?? '';
}

function dollars(amount: number): string {
  const digits = Number.isInteger(amount) ? 0 : 2;
  return `$${amount.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: 2 })}`;
}

function number(amount: number): string {
  return Math.round(amount).toLocaleString('en');
}

/** `in 40 s`, `in 5 h`, and from two days on the day. */
function when(at: number, now: number): string {
  // In one piece at the end of a line.
  if (at - now < HOURS_48_MS) return `in ${timeLeft(at - now)}`.replaceAll(' ', '\u00a0');
  return `on ${new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })}`;
}
