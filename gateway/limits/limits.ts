import type { PolicyFacts } from '../access/when.ts';
import type { Charge, SharedState } from '../storage/contracts.ts';
import { createAlerts, type Alert } from './alerts.ts';
import {
  holderIn,
  keyOf,
  placesKeyOf,
  SHARED,
  type Concurrency,
  type Holder,
  type Limit,
  type LimitRule,
} from './rules.ts';
import { createKnownValues } from './values.ts';

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
  /** Whether it has places among the calls that may be under way at once. */
  readonly placed: boolean;
  /** Gives its places back while it waits for a person; it has to get them again before it goes on. */
  pause(): void;
  /** Takes them again; says which rule has none. */
  resume(): Promise<LimitRefusal | undefined>;
  /** Puts what it came to in place of what was reserved, and gives its places back. Counts once. */
  end(actual: Amounts): void;
}

export type Admission =
  | { readonly refused: LimitRefusal }
  | { readonly refused?: undefined; readonly ticket: Ticket; readonly audited: readonly Audited[] };

/** A counter, or the calls under way, as it stands. */
export interface CounterView {
  readonly rule: LimitRule;
  readonly holder: Holder;
  readonly limit: Limit | Concurrency;
  readonly used: number;
  /** In how many ms one more call, token or cent fits; 0 while it does, undefined where it never will or nobody knows. */
  readonly roomIn: number | undefined;
}

/** Rate limits, quotas, concurrency and budgets of all calls. */
export interface Limits {
  /**
   * Lets a call begin, or says which rule refuses it: it then counts nowhere. What it is expected to use is reserved in
   * every counter at once, so that calls under way together stay within the limit but for what each uses beyond its
   * own reservation.
   */
  begin(rules: readonly LimitRule[], facts: PolicyFacts, expected: Amounts): Promise<Admission>;
  /** The counters that have been used, also before a restart, and those that all callers share. */
  counters(rules: readonly LimitRule[]): CounterView[];
  /** Sets the counters of a rule to zero. */
  reset(rule: string): void;
}

/** Counters whose holders are remembered, to be shown. */
const MAX_SEEN = 10_000;
/** The least that is worth waiting for. */
const LEAST = { calls: 1, tokens: 1, cost: 0.01 } as const;

interface Applied {
  readonly rule: LimitRule;
  readonly holder: Holder;
}

/** A charge, and the limit it is against. */
interface Due extends Applied {
  readonly limit: Limit;
  readonly charge: Charge;
}

export function createLimits(state: SharedState, onAlert: (alert: Alert) => void, now: () => number): Limits {
  /** By the rule's name. */
  const seen = new Map<string, Map<string, Holder>>();
  const alerts = createAlerts(state, now, onAlert);
  const values = createKnownValues(now);

  const remember = ({ rule, holder }: Applied): void => {
    alerts.watch(rule, holder);
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

  /** What was counted by the gateway that ran before: the counters' keys by the rule's name, until somebody asks. */
  const before = new Map<string, string[]>();
  for (const key of new Set(state.keys())) {
    const name = key.slice(0, key.indexOf(' '));
    const keys = before.get(name);
    if (keys === undefined) before.set(name, [key]);
    else keys.push(key);
  }
  const recall = (rule: LimitRule): void => {
    for (const key of before.get(rule.name) ?? []) {
      const holder = holderIn(rule, key);
      if (holder !== undefined) remember({ rule, holder });
    }
    before.delete(rule.name);
    if (rule.per.length === 0) remember({ rule, holder: SHARED });
  };

  const ticketOf = (
    enforced: readonly Applied[],
    watched: readonly Applied[],
    places: string[],
    reserved: Amounts,
    at: number,
  ): Ticket => {
    const counted = [...enforced, ...watched];
    let over = false;
    let paused = false;
    const isOver = (): boolean => over;
    const giveBack = (): void => {
      for (const place of places.splice(0)) state.release(place);
    };
    return {
      placed: places.length > 0,
      pause: () => {
        paused = true;
        giveBack();
      },
      resume: async () => {
        if (!paused || isOver()) return undefined;
        const full = await takePlaces(state, enforced, places);
        if (full === undefined) {
          paused = false;
          for (const one of watched) await takePlaces(state, [one], places);
        }
        // It may have ended while places were asked for.
        if (full !== undefined || isOver()) giveBack();
        return full;
      },
      end: (actual) => {
        if (over) return;
        over = true;
        giveBack();
        for (const { rule, holder } of counted) {
          for (const limit of rule.limits) {
            if (limit.unit === 'calls') continue;
            const before = numberOr(reserved[limit.unit] ?? 0, 0);
            // What is said to be no number tells nothing: what was reserved stands.
            const used = numberOr(actual[limit.unit] ?? 0, before);
            const more = Math.min(Math.max(0, used), Number.MAX_SAFE_INTEGER) - before;
            const key = keyOf(rule, holder, limit);
            if (more > 0) state.add(key, limit.window, more);
            else if (more < 0) state.giveBack(key, limit.window, -more, at);
          }
          alerts.counted(rule, holder);
        }
      },
    };
  };

  return {
    begin: async (rules, facts, wanted) => {
      const expected = atLeastNothing(wanted);
      const enforced: Applied[] = [];
      const watched: Applied[] = [];
      for (const rule of rules) {
        if (!rule.applies(facts)) continue;
        for (const holder of rule.holdersOf(values.counted(rule, facts)))
          (rule.enforced ? enforced : watched).push({ rule, holder });
      }
      enforced.forEach(remember);
      watched.forEach(remember);
      const unpriced = expected.cost === null ? enforced.find(refusesUnpriced) : undefined;
      if (unpriced !== undefined) return { refused: unpricedRefusal(unpriced.rule, facts) };
      const places: string[] = [];
      const at = now();
      let short: LimitRefusal | undefined;
      let begun = false;
      try {
        short = await takePlaces(state, enforced, places);
        short ??= await reserve(state, duesOf(enforced, expected));
        begun = short === undefined;
      } finally {
        if (!begun) for (const place of places) state.release(place);
      }
      if (short !== undefined) return { refused: short };
      const audited = await watch(state, watched, places, expected, facts);
      return { ticket: ticketOf(enforced, watched, places, expected, at), audited };
    },
    counters: (rules) => {
      rules.forEach(recall);
      return rules.flatMap((rule) =>
        [...(seen.get(rule.name)?.values() ?? [])].flatMap((holder) => [
          ...rule.limits.map((limit) => viewOf(state, rule, holder, limit)),
          ...placesOf(state, rule, holder),
        ]),
      );
    },
    reset: (rule) => {
      state.reset(`${rule} `);
      alerts.forget(rule);
    },
  };
}

function viewOf(state: SharedState, rule: LimitRule, holder: Holder, limit: Limit): CounterView {
  const { window, amount, unit } = limit;
  const key = keyOf(rule, holder, limit);
  const roomIn = state.roomIn({ key, window, limit: amount, amount: LEAST[unit] });
  return { rule, holder, limit, used: state.used(key, window), roomIn };
}

function placesOf(state: SharedState, rule: LimitRule, holder: Holder): CounterView[] {
  const { concurrency: amount } = rule;
  if (amount === undefined) return [];
  const used = state.placesTaken(placesKeyOf(rule, holder));
  const limit = { unit: 'concurrency', amount, text: String(amount) } as const;
  return [{ rule, holder, limit, used, roomIn: used < amount ? 0 : undefined }];
}

/** What a call is against; what uses nothing is not refused where everything is used up. */
function duesOf(applied: readonly Applied[], expected: Amounts): Due[] {
  return applied.flatMap(({ rule, holder }) =>
    rule.limits.flatMap((limit) => {
      const amount = limit.unit === 'calls' ? 1 : (expected[limit.unit] ?? 0);
      if (amount === 0) return [];
      const key = keyOf(rule, holder, limit);
      return [{ rule, holder, limit, charge: { key, window: limit.window, limit: limit.amount, amount } }];
    }),
  );
}

/** Counts a call against rules that only watch, and says which would have refused it. */
async function watch(
  state: SharedState,
  watched: readonly Applied[],
  places: string[],
  expected: Amounts,
  facts: PolicyFacts,
): Promise<Audited[]> {
  const audited: Audited[] = [];
  for (const one of watched) {
    const unpriced = expected.cost === null && refusesUnpriced(one);
    const full = await takePlaces(state, [one], places);
    const dues = duesOf([one], expected);
    const short = await reserve(state, dues);
    if (short !== undefined)
      for (const { charge } of dues)
        if (Number.isFinite(charge.amount)) state.add(charge.key, charge.window, charge.amount);
    const over = unpriced ? unpricedRefusal(one.rule, facts) : (full ?? short);
    if (over !== undefined) audited.push({ rule: over.rule, message: over.message });
  }
  return audited;
}

async function takePlaces(
  state: SharedState,
  applied: readonly Applied[],
  places: string[],
): Promise<LimitRefusal | undefined> {
  for (const { rule, holder } of applied) {
    if (rule.concurrency === undefined) continue;
    const key = placesKeyOf(rule, holder);
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

async function reserve(state: SharedState, dues: readonly Due[]): Promise<LimitRefusal | undefined> {
  if (dues.length === 0) return undefined;
  const taken = await state.take(dues.map(({ charge }) => charge));
  const short = taken.ok ? undefined : dues[taken.index];
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

/** Nobody gets room by saying that they take less than nothing; what is no number has no room. */
function atLeastNothing({ tokens, cost }: Amounts): Amounts {
  return {
    tokens: Number.isNaN(tokens) ? Infinity : Math.max(0, tokens),
    cost: cost === null ? null : Number.isNaN(cost) ? Infinity : Math.max(0, cost),
  };
}

function numberOr(amount: number, otherwise: number): number {
  return Number.isFinite(amount) ? amount : otherwise;
}
