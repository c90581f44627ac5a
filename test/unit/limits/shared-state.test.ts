import fc from 'fast-check';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { periodOf } from '../../../gateway/limits/period.ts';
import { createMemorySharedState } from '../../../gateway/storage/memory-shared-state.ts';
import { openCounterStore } from '../../../gateway/storage/sqlite-counter-store.ts';

/** The laws of a `SharedState`, whatever implements it. */
const START = Date.UTC(2026, 0, 31, 23, 59, 30);

describe('a sliding window', () => {
  it('never holds more than the limit in any stretch of its length, and is never empty for nothing', () => {
    const gaps = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 3 })), {
      minLength: 1,
      maxLength: 80,
    });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 7 }), (steps, limit) => {
        let now = START;
        const state = createMemorySharedState(() => now);
        const window = 60_000;
        const passed: { at: number; amount: number }[] = [];
        for (const [gap, amount] of steps) {
          now += gap;
          const taken = state.take([{ key: 'k', window, limit, amount }]);
          if (taken instanceof Promise) throw new Error('memory answers at once');
          const within = (length: number): number =>
            passed.filter(({ at }) => at > now - length).reduce((sum, one) => sum + one.amount, 0);
          if (taken.ok) passed.push({ at: now, amount });
          // Room comes back at most a sixtieth late.
          else expect(within(window * (1 + 2 / 60)) + amount).toBeGreaterThan(limit);
          expect(within(window)).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it('says when there is room again, and there is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59_999 }), fc.integer({ min: 1, max: 5 }), (offset, limit) => {
        let now = START + offset;
        const state = createMemorySharedState(() => now);
        const charge = { key: 'k', window: 60_000, limit, amount: 1 };
        for (let call = 0; call < limit; call++) void state.take([charge]);
        const refused = state.take([charge]);
        if (refused instanceof Promise || refused.ok) throw new Error('it is full');
        now += refused.retryAfterMs ?? 0;
        expect(state.take([charge])).toEqual({ ok: true });
      }),
    );
  });

  it('takes all of several charges, or nothing', () => {
    const state = createMemorySharedState(() => START);
    const wide = { key: 'wide', window: 60_000, limit: 100, amount: 1 };
    const narrow = { key: 'narrow', window: 1_000, limit: 1, amount: 1 };
    expect(state.take([wide, narrow])).toEqual({ ok: true });
    for (let call = 0; call < 50; call++)
      expect(state.take([wide, narrow])).toMatchObject({ ok: false, index: 1 });
    expect(state.used('wide', 60_000)).toBe(1);
    expect(state.take([{ ...wide, amount: 101 }])).toEqual({ ok: false, index: 0, retryAfterMs: undefined });
  });
});

describe('a sliding window under a restart and a clock that is set back', () => {
  it('never holds more than its limit in any stretch of its length', async () => {
    const step = fc.record({
      gap: fc.integer({ min: 0, max: 600_000 }),
      back: fc.constantFrom(0, 0, 0, 5_000),
      restart: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        async (steps, limit) => {
          const file = join(mkdtempSync(join(tmpdir(), 'toolgate-unit-')), 'counters.sqlite');
          const window = 3_600_000;
          let clock = START;
          let time = START;
          const open = () =>
            createMemorySharedState(
              () => clock,
              openCounterStore(file, () => undefined),
            );
          let state = open();
          const passed: number[] = [];
          for (const { gap, back, restart } of steps) {
            time += gap;
            clock += gap - back;
            if (restart) {
              await state.close();
              state = open();
            }
            const taken = await state.take([{ key: 'k', window, limit, amount: 1 }]);
            if (taken.ok) passed.push(time);
            expect(passed.filter((at) => at > time - window).length).toBeLessThanOrEqual(limit);
          }
          await state.close();
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('charges together', () => {
  it('of one counter are taken together', () => {
    const state = createMemorySharedState(() => START);
    const one = { key: 'k', window: 60_000, limit: 3, amount: 2 };
    expect(state.take([one, one])).toMatchObject({ ok: false, index: 1 });
    expect(state.take([one, { ...one, amount: 1 }])).toEqual({ ok: true });
    expect(state.used('k', 60_000)).toBe(3);
  });

  it('of amounts that are no number have no room', () => {
    const state = createMemorySharedState(() => START);
    expect(state.take([{ key: 'k', window: 'day', limit: 1, amount: NaN }])).toMatchObject({ ok: false });
  });
});

describe('counters beyond what there may be', () => {
  it('are not begun, those that there are go on, and there is room once some have run out', () => {
    let now = START;
    const state = createMemorySharedState(() => now, undefined, 2);
    const charge = (key: string) => ({ key, window: 1_000, limit: 2, amount: 1 });
    expect([state.take([charge('a')]), state.take([charge('b')])]).toEqual([{ ok: true }, { ok: true }]);
    expect(state.take([charge('a'), charge('c')])).toMatchObject({
      ok: false,
      index: 1,
      retryAfterMs: 1_000,
    });
    state.add('d', 1_000, 5);
    expect([state.take([charge('a')]), state.used('d', 1_000)]).toEqual([{ ok: true }, 0]);
    now += 2_000;
    expect(state.take([charge('c')])).toEqual({ ok: true });
  });
});

describe('what is given back', () => {
  it('is no more than was counted then, and nothing once that has left the window', () => {
    let now = START;
    const state = createMemorySharedState(() => now);
    state.add('k', 60_000, 5);
    now += 30_000;
    state.add('k', 60_000, 5);
    state.giveBack('k', 60_000, 100, START);
    expect(state.used('k', 60_000)).toBe(5);
    now += 40_000;
    state.giveBack('k', 60_000, 5, START);
    expect(state.used('k', 60_000)).toBe(5);
  });
});

describe('a period of the calendar', () => {
  it.each([
    ['day', '2026-01-31T00:00:00Z', '2026-02-01T00:00:00Z'],
    ['week', '2026-01-26T00:00:00Z', '2026-02-02T00:00:00Z'],
    ['month', '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
  ] as const)('a %s is from %s to %s', (period, start, end) => {
    expect(periodOf(period, START)).toEqual({ start: Date.parse(start), end: Date.parse(end) });
  });

  it('begins with nothing', () => {
    let now = START;
    const state = createMemorySharedState(() => now);
    state.add('k', 'month', 400);
    expect(state.used('k', 'month')).toBe(400);
    now += 30_000;
    expect(state.used('k', 'month')).toBe(0);
  });
});

describe('places', () => {
  it('are never more than there are, and come back', () => {
    const moves = fc.array(fc.boolean(), { maxLength: 60 });
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: 4 }), (steps, limit) => {
        const state = createMemorySharedState(() => START);
        let taken = 0;
        for (const acquire of steps) {
          if (acquire) {
            const got = state.acquire('k', limit);
            expect(got).toBe(taken < limit);
            if (got === true) taken += 1;
          } else if (taken > 0) {
            state.release('k');
            taken -= 1;
          }
          expect(state.placesTaken('k')).toBe(taken);
        }
      }),
    );
  });
});

describe('what is kept', () => {
  it('is there after a restart, but for short windows and what is over', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'toolgate-unit-')), 'counters.sqlite');
    const open = (now: number) =>
      createMemorySharedState(
        () => now,
        openCounterStore(file, (error) => {
          throw error as Error;
        }),
      );
    const first = open(START);
    first.add('spent', 'month', 12.5);
    first.add('quota', 86_400_000, 7);
    first.add('burst', 1_000, 3);
    await first.close();
    const second = open(START + 10_000);
    expect([
      second.used('spent', 'month'),
      second.used('quota', 86_400_000),
      second.used('burst', 1_000),
    ]).toEqual([12.5, 7, 0]);
    second.reset('spent');
    await second.close();
    const third = open(START + 20_000);
    expect([third.used('spent', 'month'), third.used('quota', 86_400_000)]).toEqual([0, 7]);
    await third.close();
  });
});
