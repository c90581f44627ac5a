import { periodOf } from '../limits/period.ts';
import type { Charge, CounterStore, CounterWindow, SharedState, Taken } from './contracts.ts';

/** A window is cut into so many slots, and one counts until all of it has left the window. */
const SLOTS = 60;
/** Counters of windows at least this long are kept over a restart. */
const KEPT_FROM_MS = 3_600_000;
const SAVE_EVERY_MS = 500;
/** Counters at once; beyond them no new one is begun until some have run out. */
const MAX_COUNTERS = 200_000;
const FULL_RETRY_MS = 1_000;

interface Counter {
  readonly key: string;
  readonly window: CounterWindow;
  /** The oldest first: the number of a slot, or the start of a period, and the amount. */
  readonly slots: [number, number][];
  total: number;
}

/** A `SharedState` of one process, whose long counters outlive it by `kept`. Takes and answers at once. */
export function createMemorySharedState(
  now: () => number,
  kept?: CounterStore,
  maxCounters = MAX_COUNTERS,
): SharedState {
  const counters = new Map<string, Counter>();
  const places = new Map<string, number>();
  const changed = new Set<Counter>();
  for (const { key, window, slots } of kept?.all() ?? []) {
    const total = slots.reduce((sum, [, amount]) => sum + amount, 0);
    const counter: Counter = { key, window, slots: slots.map(([at, amount]) => [at, amount]), total };
    advance(counter, now());
    if (counter.slots.length === 0) changed.add(counter);
    else counters.set(id(key, window), counter);
  }
  const save = (): void => {
    if (changed.size === 0) return;
    kept?.save([...changed]);
    changed.clear();
  };
  const saving = kept && setInterval(save, SAVE_EVERY_MS).unref();

  const find = (key: string, window: CounterWindow): Counter | undefined => {
    const counter = counters.get(id(key, window));
    if (counter !== undefined) advance(counter, now());
    return counter;
  };
  let sweptAt = -Infinity;
  /** Whether there is room for so many counters more; makes some, no more often than is of use. */
  const hasRoom = (more: number): boolean => {
    if (counters.size + more <= maxCounters) return true;
    if (Math.abs(now() - sweptAt) < FULL_RETRY_MS) return false;
    sweptAt = now();
    for (const [name, counter] of counters) {
      advance(counter, now());
      if (counter.slots.length === 0) counters.delete(name);
    }
    return counters.size + more <= maxCounters;
  };
  const touched = (counter: Counter): void => {
    const { window } = counter;
    if (kept !== undefined && (typeof window === 'string' || window >= KEPT_FROM_MS)) changed.add(counter);
  };
  const count = (key: string, window: CounterWindow, amount: number): void => {
    let counter = find(key, window);
    if (counter === undefined)
      counters.set(id(key, window), (counter = { key, window, slots: [], total: 0 }));
    const at = slotOf(window, now());
    const last = counter.slots.at(-1);
    if (last?.[0] === at) last[1] += amount;
    else counter.slots.push([at, amount]);
    counter.total += amount;
    touched(counter);
  };

  return {
    take: (charges) => {
      let begun = 0;
      for (const [index, charge] of charges.entries()) {
        const counter = find(charge.key, charge.window);
        if (counter === undefined && !hasRoom(++begun))
          return { ok: false, index, retryAfterMs: FULL_RETRY_MS };
        const wanted = charge.amount + earlier(charges, index);
        const fits = (counter?.total ?? 0) + wanted <= charge.limit;
        if (!fits) return { ok: false, index, retryAfterMs: roomIn(charge, wanted, counter, now()) };
      }
      for (const { key, window, amount } of charges) count(key, window, amount);
      return { ok: true };
    },
    add: (key, window, amount) => {
      if (amount !== 0 && (counters.has(id(key, window)) || hasRoom(1))) count(key, window, amount);
    },
    giveBack: (key, window, amount, at) => {
      const counter = find(key, window);
      const slot = counter?.slots.find(([number]) => number === slotOf(window, at));
      if (counter === undefined || slot === undefined) return;
      const back = Math.min(amount, slot[1]);
      slot[1] -= back;
      counter.total -= back;
      touched(counter);
    },
    used: (key, window) => Math.max(0, find(key, window)?.total ?? 0),
    roomIn: (charge) => {
      const counter = find(charge.key, charge.window);
      const fits = (counter?.total ?? 0) + charge.amount <= charge.limit;
      return fits ? 0 : roomIn(charge, charge.amount, counter, now());
    },
    keys: () => [...counters.values()].map(({ key }) => key),
    acquire: (key, limit) => {
      const taken = places.get(key) ?? 0;
      if (taken >= limit) return false;
      places.set(key, taken + 1);
      return true;
    },
    release: (key) => {
      const taken = places.get(key) ?? 0;
      if (taken <= 1) places.delete(key);
      else places.set(key, taken - 1);
    },
    placesTaken: (key) => places.get(key) ?? 0,
    reset: (prefix) => {
      for (const [name, counter] of counters) {
        if (!counter.key.startsWith(prefix)) continue;
        counter.slots.length = 0;
        counter.total = 0;
        counters.delete(name);
        if (kept !== undefined) changed.add(counter);
      }
      save();
    },
    close: () => {
      clearInterval(saving);
      save();
      kept?.close();
      return Promise.resolve();
    },
  };
}

function id(key: string, window: CounterWindow): string {
  return `${window} ${key}`;
}

function slotOf(window: CounterWindow, now: number): number {
  return typeof window === 'number' ? Math.floor(now / (window / SLOTS)) : periodOf(window, now).start;
}

/** Lets go of what has left the window. */
function advance(counter: Counter, now: number): void {
  const { window, slots } = counter;
  const current = slotOf(window, now);
  const leaves = (slot: number): boolean =>
    typeof window === 'number' ? current - slot > SLOTS : slot !== current;
  while (slots[0] !== undefined && leaves(slots[0][0])) {
    counter.total -= slots[0][1];
    slots.shift();
  }
  // Sums of fractions drift; an empty counter is none.
  if (slots.length === 0) counter.total = 0;
}

/** What charges before the one at `index` take of its own counter. */
function earlier(charges: readonly Charge[], index: number): number {
  let sum = 0;
  for (let at = 0; at < index; at++) {
    const one = charges[at];
    if (one?.key === charges[index]?.key && one?.window === charges[index]?.window) sum += one?.amount ?? 0;
  }
  return sum;
}

/** When there is room for what is wanted; undefined when it would not fit into an empty window. */
function roomIn(
  { limit, window }: Charge,
  wanted: number,
  counter: Counter | undefined,
  now: number,
): Extract<Taken, { ok: false }>['retryAfterMs'] {
  if (wanted > limit) return undefined;
  if (typeof window === 'string') return periodOf(window, now).end - now;
  let used = counter?.total ?? 0;
  for (const [slot, amount] of counter?.slots ?? []) {
    used -= amount;
    if (used + wanted <= limit) return (slot + SLOTS + 1) * (window / SLOTS) - now;
  }
  return window;
}
