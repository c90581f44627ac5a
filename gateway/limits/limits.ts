import type { PolicyFacts } from '../access/when.ts';
import type { Charge, SharedState } from '../storage/contracts.ts';
import type { Holder, Limit, LimitRule, Unit } from './rules.ts';

/** How much a call is expected to count for, or came to. A cost of null is one that nobody knows. */
export interface Amounts {
  readonly tokens: number;
  readonly cost: number | null;
}

/** Why a call may not begin. */
export interface LimitRefusal {
  readonly rule: string;
  readonly kind: 'rate-limited' | 'budget-exhausted' | 'overloaded';
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** What a rule that only watches would have refused. */
export interface Audited {
  readonly rule: string;
  readonly message: string;
}

/** A call that has begun. */
export interface Ticket {
  /** Puts what it came to in place of what was reserved, and gives its places back. Counts once. */
  end(actual: Amounts): void;
}

export type Admission =
  | { readonly refused: LimitRefusal }
  | { readonly refused?: undefined; readonly ticket: Ticket; readonly audited: readonly Audited[] };

/** A counter as it stands. */
export interface CounterView {
  readonly rule: LimitRule;
  readonly holder: Holder;
  readonly limit: Limit;
  readonly used: number;
}

/** A budget of which so much is spent. */
export interface Alert {
  readonly rule: string;
  readonly holder: Readonly<Record<string, string>>;
  readonly percent: number;
  readonly unit: Unit;
  readonly used: number;
  readonly limit: string;
}

/** Rate limits, quotas, concurrency and budgets of all calls. */
export interface Limits {
  /**
   * Lets a call begin, or says which rule refuses it: it then counts nowhere. What it is expected to use is reserved in
   * every counter at once, so that calls under way together stay within the limit but for what each uses beyond its
   * own reservation.
   */
  begin(rules: readonly LimitRule[], facts: PolicyFacts, expected: Amounts): Promise<Admission>;
  /** The counters that have been used. */
  counters(rules: readonly LimitRule[]): CounterView[];
  /** Sets the counters of a rule to zero. */
  reset(rule: string): void;
}

/** Counters whose holders are remembered, to be shown. */
const MAX_SEEN = 10_000;

interface Applied {
  readonly rule: LimitRule;
  readonly holder: Holder;
}

export function createLimits(state: SharedState, onAlert: (alert: Alert) => void): Limits {
  /** By the rule's name. */
  const seen = new Map<string, Map<string, Holder>>();
  const alerted = new Map<string, number>();

  const remember = ({ rule, holder }: Applied): void => {
    let holders = seen.get(rule.name);
    if (holders === undefined) {
      holders = new Map<string, Holder>();
      seen.set(rule.name, holders);
    }
    if (holders.has(holder.key)) return;
    const [oldest] = holders.keys();
    if (holders.size >= MAX_SEEN && oldest !== undefined) holders.delete(oldest);
    holders.set(holder.key, holder);
  };
  const alert = ({ rule, holder }: Applied, limit: Limit): void => {
    if (rule.alerts.length === 0) return;
    const used = state.used(keyOf(rule, holder, limit), limit.window);
    const reached = rule.alerts.findLast((percent) => used * 100 >= percent * limit.amount) ?? 0;
    const key = keyOf(rule, holder, limit);
    const before = alerted.get(key) ?? 0;
    // A new period begins again from nothing.
    alerted.set(key, reached);
    if (reached <= before) return;
    onAlert({
      rule: rule.name,
      holder: holder.values,
      percent: reached,
      unit: limit.unit,
      used,
      limit: limit.text,
    });
  };

  const ticketOf = (counted: readonly Applied[], places: readonly string[], reserved: Amounts): Ticket => {
    let over = false;
    return {
      end: (actual) => {
        if (over) return;
        over = true;
        for (const place of places) state.release(place);
        for (const one of counted) {
          for (const limit of one.rule.limits) {
            if (limit.unit === 'calls') continue;
            const more = (actual[limit.unit] ?? 0) - (reserved[limit.unit] ?? 0);
            state.add(keyOf(one.rule, one.holder, limit), limit.window, more);
            alert(one, limit);
          }
        }
      },
    };
  };

  return {
    begin: async (rules, facts, expected) => {
      const enforced: Applied[] = [];
      const watched: Applied[] = [];
      for (const rule of rules) {
        if (!rule.applies(facts)) continue;
        for (const holder of rule.holdersOf(facts))
          (rule.enforced ? enforced : watched).push({ rule, holder });
      }
      enforced.forEach(remember);
      watched.forEach(remember);
      const unpriced = expected.cost === null ? enforced.find(refusesUnpriced) : undefined;
      if (unpriced !== undefined) return { refused: unpricedRefusal(unpriced.rule, facts) };
      const places: string[] = [];
      const full = await takePlaces(state, enforced, places);
      const short = full ?? (await reserve(state, enforced, expected));
      if (short !== undefined) {
        for (const place of places) state.release(place);
        return { refused: short };
      }
      const audited: Audited[] = [];
      for (const one of watched) {
        const over = await reserve(state, [one], expected);
        if (over === undefined) continue;
        audited.push({ rule: over.rule, message: over.message });
        for (const { key, window, amount } of chargesOf(one, expected)) state.add(key, window, amount);
      }
      return { ticket: ticketOf([...enforced, ...watched], places, expected), audited };
    },
    counters: (rules) =>
      rules.flatMap((rule) =>
        [...(seen.get(rule.name)?.values() ?? [])].flatMap((holder) =>
          rule.limits.map((limit) => ({
            ...{ rule, holder, limit },
            used: state.used(keyOf(rule, holder, limit), limit.window),
          })),
        ),
      ),
    reset: (rule) => state.reset(`${rule} `),
  };
}

/** Names have no spaces. */
function keyOf({ name }: LimitRule, { key }: Holder, { unit }: Limit): string {
  return `${name} ${unit} ${key}`;
}

function chargesOf({ rule, holder }: Applied, expected: Amounts): Charge[] {
  return rule.limits.map((limit) => ({
    key: keyOf(rule, holder, limit),
    window: limit.window,
    limit: limit.amount,
    amount: limit.unit === 'calls' ? 1 : (expected[limit.unit] ?? 0),
  }));
}

async function takePlaces(
  state: SharedState,
  applied: readonly Applied[],
  places: string[],
): Promise<LimitRefusal | undefined> {
  for (const { rule, holder } of applied) {
    if (rule.concurrency === undefined) continue;
    const key = `${rule.name} places ${holder.key}`;
    if (await state.acquire(key, rule.concurrency)) places.push(key);
    else
      return {
        rule: rule.name,
        kind: 'overloaded',
        message: `${rule.name}: ${rule.concurrency} calls are under way${forWhom(holder)}, as many as allowed; wait for one to end`,
        retryAfterMs: 1_000,
      };
  }
  return undefined;
}

async function reserve(
  state: SharedState,
  applied: readonly Applied[],
  expected: Amounts,
): Promise<LimitRefusal | undefined> {
  const places = applied.flatMap((one) => one.rule.limits.map((limit) => ({ ...one, limit })));
  const taken = await state.take(applied.flatMap((one) => chargesOf(one, expected)));
  const short = taken.ok ? undefined : places[taken.index];
  if (taken.ok || short === undefined) return undefined;
  const { rule, holder, limit } = short;
  const what = limit.unit === 'cost' ? `$${limit.text}` : limit.text.replace('/', ` ${limit.unit}/`);
  const when =
    taken.retryAfterMs === undefined
      ? 'one call alone would take more; make it smaller'
      : `there is room again in ${inWords(taken.retryAfterMs)}; do not repeat the call before`;
  return {
    rule: rule.name,
    kind: rule.kind === 'budget' ? 'budget-exhausted' : 'rate-limited',
    message: `${rule.name}: at most ${what}${forWhom(holder)}; ${when}`,
    retryAfterMs: taken.retryAfterMs,
  };
}

function refusesUnpriced({ rule }: Applied): boolean {
  return !rule.passesUnpriced && rule.limits.some(({ unit }) => unit === 'cost');
}

function unpricedRefusal(rule: LimitRule, { model }: PolicyFacts): LimitRefusal {
  return {
    rule: rule.name,
    kind: 'budget-exhausted',
    message: `${rule.name} counts cost, and the price of ${model} is not known: an administrator adds it to models.prices, or sets unpriced: allow`,
    retryAfterMs: undefined,
  };
}

function forWhom({ values }: Holder): string {
  const names = Object.values(values);
  return names.length === 0 ? '' : ` for ${names.join(', ')}`;
}

function inWords(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`;
}
