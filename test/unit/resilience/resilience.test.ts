import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESILIENCE_DEFAULTS } from '../../../gateway/config/policies/resilience.ts';
import { createBreaker, type BreakerState } from '../../../gateway/resilience/breaker.ts';
import { createBulkhead } from '../../../gateway/resilience/bulkhead.ts';
import { createRetryBudget, pauseBefore } from '../../../gateway/resilience/retry-budget.ts';
import { createToolErrors } from '../../../gateway/resilience/tool-errors.ts';

describe('a circuit breaker', () => {
  const terms = { failures: 3, window: 10_000, cooldown: 1_000 };

  it('opens after so many failures, tries one call, and stays open for longer each time that fails', () => {
    let now = 0;
    const states: BreakerState[] = [];
    const breaker = createBreaker(
      () => now,
      (state) => states.push(state),
    );
    const call = (ending: 'well' | 'failed'): boolean => {
      const leave = breaker.leave(terms);
      if (leave.allowed) breaker.ended(leave, ending, terms);
      return leave.allowed;
    };
    expect([call('failed'), call('failed'), call('failed'), call('failed')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    now = 999;
    expect(call('well')).toBe(false);
    now = 1_000;
    expect([call('failed'), call('well')]).toEqual([true, false]);
    now = 2_999;
    expect(breaker.leave(terms)).toEqual({ allowed: false, retryAfterMs: 1 });
    now = 3_000;
    expect([call('well'), call('well')]).toEqual([true, true]);
    expect(states).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('never has two calls on trial, and makes none while it is open, whatever happens', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 1_500 }),
      ending: fc.constantFrom('well' as const, 'failed' as const, 'neither' as const),
      late: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 0;
        const breaker = createBreaker(
          () => now,
          () => undefined,
        );
        const underWay: {
          leave: Extract<ReturnType<typeof breaker.leave>, { allowed: true }>;
          ending: 'well' | 'failed' | 'neither';
        }[] = [];
        for (const { wait, ending, late } of steps) {
          now += wait;
          const before = breaker.state();
          const leave = breaker.leave(terms);
          if (before === 'open') expect(leave.allowed).toBe(false);
          if (leave.allowed) underWay.push({ leave, ending });
          expect(underWay.filter((one) => one.leave.probe).length).toBeLessThanOrEqual(1);
          const over = late ? undefined : underWay.shift();
          if (over !== undefined) breaker.ended(over.leave, over.ending, terms);
        }
      }),
    );
  });
});

it('a retry budget gives no more tries than its share of the calls, and a few to begin with', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (steps) => {
      const budget = createRetryBudget();
      let called = 0;
      let taken = 0;
      for (const isCall of steps) {
        if (isCall) {
          budget.called(20);
          called += 1;
        } else if (budget.take()) taken += 1;
        expect(taken).toBeLessThanOrEqual(3 + called * 0.2 + 1e-9);
      }
    }),
  );
  for (let attempt = 1; attempt < 12; attempt++) {
    expect(pauseBefore(attempt, 200, 5_000, () => 0.999)).toBeLessThanOrEqual(
      Math.min(5_000, 200 * 2 ** (attempt - 1)),
    );
    expect(pauseBefore(attempt, 200, 5_000, () => 0)).toBe(0);
  }
});

it('a bulkhead never has more under way than it holds, and loses nobody who waits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      async (limit, steps) => {
        const bulkhead = createBulkhead();
        let inside = 0;
        let refused = 0;
        let asked = 0;
        for (const enters of steps) {
          if (enters) {
            asked += 1;
            const place = bulkhead.enter(limit, new AbortController().signal);
            if (place === undefined) refused += 1;
            else if (place === 'free') inside += 1;
            else void place.then(() => (inside += 1));
          } else if (inside > 0) {
            inside -= 1;
            bulkhead.leave();
            await Promise.resolve();
          }
          expect(inside).toBeLessThanOrEqual(limit);
        }
        for (let left = asked - refused; left > 0 && inside > 0; left--) {
          inside -= 1;
          bulkhead.leave();
          await Promise.resolve();
        }
        expect([inside, bulkhead.underWay()]).toEqual([0, 0]);
      },
    ),
  );
});

it('errors of a tool keep the caller that made them from it, and nobody else, for a while', () => {
  let now = 0;
  const errors = createToolErrors(() => now);
  const { toolErrors: terms } = RESILIENCE_DEFAULTS;
  for (let count = 0; count < 9; count++) errors.failed('ann', terms);
  errors.succeeded('ann');
  for (let count = 0; count < 9; count++) errors.failed('ann', terms);
  expect(errors.blocked('ann')).toBeUndefined();
  errors.failed('ann', terms);
  expect([errors.blocked('ann'), errors.blocked('ben')]).toEqual([30_000, undefined]);
  now = 30_000;
  expect(errors.blocked('ann')).toBeUndefined();
});
