import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicies } from '../../../gateway/access/policies.ts';
import type { PolicyFacts } from '../../../gateway/access/when.ts';
import type { Alert } from '../../../gateway/limits/alerts.ts';
import { createLimits, type Amounts, type Limits, type Ticket } from '../../../gateway/limits/limits.ts';
import { compileRules, type LimitRule } from '../../../gateway/limits/rules.ts';
import { MAX_VALUES } from '../../../gateway/limits/values.ts';
import { createMemorySharedState } from '../../../gateway/storage/memory-shared-state.ts';
import { parsed } from '../gateway/support.ts';

const rulesOf = (policies: string): LimitRule[] =>
  compileRules(compilePolicies(parsed(`version: 1\npolicies:\n${policies}`)));
const factsOf = (subject: string, more: Partial<PolicyFacts> = {}): PolicyFacts => ({
  person: { subject, names: new Set([subject, 'everyone']), administrator: false, facts: {} },
  tokenId: 't',
  targets: [],
  model: 'openai/gpt-4o',
  metadata: {},
  args: {},
  at: 0,
  ...more,
});

const NONE: Amounts = { tokens: 0, cost: 0 };
const limitsAt = (now: () => number, onAlert: (alert: Alert) => void = () => undefined): Limits =>
  createLimits(createMemorySharedState(now), onAlert, now);
async function begun(limits: Limits, rules: readonly LimitRule[], expected: Amounts): Promise<Ticket> {
  const admission = await limits.begin(rules, factsOf('user:a'), expected);
  if (admission.refused !== undefined) throw new Error(admission.refused.message);
  return admission.ticket;
}

describe('what is reserved and settled', () => {
  it('goes over a budget by no more than calls under way use beyond what they reserved', async () => {
    const calls = fc.array(
      fc.record({ expected: fc.integer({ min: 1, max: 30 }), actual: fc.integer({ min: 0, max: 60 }) }),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(calls, fc.scheduler(), async (orders, scheduler) => {
        const state = createMemorySharedState(() => 0);
        const limits = createLimits(
          state,
          () => undefined,
          () => 0,
        );
        const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day } }]');
        let beyond = 0;
        let admitted = 0;
        const running = orders.map(async ({ expected, actual }) => {
          await scheduler.schedule(Promise.resolve());
          const admission = await limits.begin(rules, factsOf('user:a'), { tokens: expected, cost: 0 });
          if (admission.refused !== undefined) return;
          await scheduler.schedule(Promise.resolve());
          admitted += actual;
          beyond += Math.max(0, actual - expected);
          admission.ticket.end({ tokens: actual, cost: 0 });
          admission.ticket.end({ tokens: 1_000, cost: 0 });
        });
        await scheduler.waitFor(Promise.all(running));
        expect(admitted).toBeLessThanOrEqual(100 + beyond);
        expect(state.used('b tokens ', 'day')).toBe(admitted);
      }),
    );
  });

  it('never lets more calls through than the limit, however they come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        async (limit, count) => {
          const limits = limitsAt(() => 0);
          const rules = rulesOf(
            `  rateLimits: [{ name: r, limits: { calls: ${limit}/min }, per: [principal] }]`,
          );
          const answers = await Promise.all(
            Array.from({ length: count }, () =>
              limits.begin(rules, factsOf('user:a'), { tokens: 0, cost: 0 }),
            ),
          );
          expect(answers.filter(({ refused }) => refused === undefined)).toHaveLength(Math.min(limit, count));
          const other = await limits.begin(rules, factsOf('user:b'), { tokens: 0, cost: 0 });
          expect(other.refused).toBeUndefined();
        },
      ),
    );
  });
});

describe('what is settled late', () => {
  it('gives no room to the period that has begun since', async () => {
    let now = Date.UTC(2026, 0, 31, 23, 59);
    const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day } }]');
    const limits = limitsAt(() => now);
    const ticket = await begun(limits, rules, { tokens: 90, cost: 0 });
    now += 120_000;
    ticket.end({ tokens: 1, cost: 0 });
    await begun(limits, rules, { tokens: 100, cost: 0 });
    expect((await limits.begin(rules, factsOf('user:a'), { tokens: 1, cost: 0 })).refused).toBeDefined();
  });

  it('never lets more be used in any stretch of a window than its limit, where nobody exceeds what they reserved', async () => {
    const order = fc.record({
      wait: fc.integer({ min: 0, max: 400 }),
      lasts: fc.integer({ min: 0, max: 5_000 }),
      expected: fc.integer({ min: 1, max: 100 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(order, { minLength: 1, maxLength: 60 }), async (orders) => {
        let now = 0;
        const rules = rulesOf('  rateLimits: [{ name: r, limits: { tokens: 100/s } }]');
        const limits = limitsAt(() => now);
        const used: { at: number; amount: number }[] = [];
        let underWay: { ends: number; began: number; actual: number; ticket: Ticket }[] = [];
        for (const { wait, lasts, expected, part } of orders) {
          now += wait;
          for (const { began, actual, ticket } of underWay.filter((one) => one.ends <= now)) {
            ticket.end({ tokens: actual, cost: 0 });
            used.push({ at: began, amount: actual });
          }
          underWay = underWay.filter((one) => one.ends > now);
          const admission = await limits.begin(rules, factsOf('user:a'), { tokens: expected, cost: 0 });
          if (admission.refused !== undefined) continue;
          const actual = Math.floor(expected * part);
          underWay.push({ ends: now + lasts, began: now, actual, ticket: admission.ticket });
          const within = [...used, ...underWay.map((one) => ({ at: one.began, amount: one.actual }))]
            .filter(({ at }) => at > now - 1_000)
            .reduce((sum, { amount }) => sum + amount, 0);
          expect(within).toBeLessThanOrEqual(100);
        }
      }),
    );
  });

  it('gives nothing back after the counters were set to zero', async () => {
    const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day } }]');
    const limits = limitsAt(() => 0);
    const ticket = await begun(limits, rules, { tokens: 90, cost: 0 });
    limits.reset('b');
    ticket.end({ tokens: 1, cost: 0 });
    expect(limits.counters(rules)).toMatchObject([{ used: 0 }]);
    expect((await limits.begin(rules, factsOf('user:a'), { tokens: 101, cost: 0 })).refused).toBeDefined();
  });

  it('makes no room by amounts that are none, and never loses count', async () => {
    const odd = fc.oneof(
      fc.constantFrom(NaN, Infinity, -Infinity, -1e9, -0, 1e308),
      fc.integer({ min: 0, max: 60 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(odd, odd), { minLength: 1, maxLength: 20 }), async (calls) => {
        const limits = limitsAt(() => 0);
        const rules = rulesOf(
          '  budgets: [{ name: b, limits: { tokens: 100/day } }]\n  rateLimits: [{ name: w, limits: { tokens: 1/day }, mode: audit }]',
        );
        for (const [expected, actual] of calls) {
          const before = limits.counters(rules)[1]?.used ?? 0;
          const admission = await limits.begin(rules, factsOf('user:a'), { tokens: expected, cost: 0 });
          if (Number.isNaN(expected) || expected > Math.max(0, 100 - before))
            expect(admission.refused).toBeDefined();
          if (admission.refused === undefined) admission.ticket.end({ tokens: actual, cost: 0 });
          const counted = limits.counters(rules).map(({ used }) => used);
          expect(counted.every((used) => Number.isFinite(used))).toBe(true);
          expect(counted[1]).toBeGreaterThanOrEqual(before);
        }
      }),
    );
  });
});

describe('places', () => {
  it('are never more than there are, are not held while a call waits, and none is lost', async () => {
    const move = fc.constantFrom('begin', 'pause', 'resume', 'end');
    const moves = fc.array(fc.tuple(move, fc.nat(9)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(moves, fc.integer({ min: 1, max: 3 }), async (steps, limit) => {
        const limits = limitsAt(() => 0);
        const rules = rulesOf(
          `  rateLimits:
    - { name: own, limits: { concurrency: ${limit} }, per: [principal] }
    - { name: all, limits: { concurrency: ${limit} } }
    - { name: watched, limits: { concurrency: 1 }, mode: audit }`,
        );
        const calls: { ticket: Ticket; waits: boolean }[] = [];
        const held = (): number => calls.filter(({ waits }) => !waits).length;
        for (const [what, at] of steps) {
          const one = calls[at % Math.max(1, calls.length)];
          if (what === 'begin') {
            const admission = await limits.begin(rules, factsOf('user:a'), NONE);
            expect(admission.refused === undefined).toBe(held() < limit);
            if (admission.refused === undefined) calls.push({ ticket: admission.ticket, waits: false });
          } else if (one === undefined) continue;
          else if (what === 'pause') {
            one.ticket.pause();
            one.waits = true;
          } else if (what === 'resume') {
            const room = !one.waits || held() < limit;
            expect((await one.ticket.resume()) === undefined).toBe(room);
            if (room) one.waits = false;
          } else {
            one.ticket.end(NONE);
            one.ticket.end(NONE);
            calls.splice(calls.indexOf(one), 1);
          }
          const [own, all] = limits.counters(rules);
          if (calls.length > 0) expect([own?.used, all?.used]).toEqual([held(), held()]);
        }
        for (const { ticket } of calls) ticket.end(NONE);
        for (let at = 0; at < limit; at++) await begun(limits, rules, NONE);
        expect(await limits.begin(rules, factsOf('user:a'), NONE)).toMatchObject({
          refused: { kind: 'overloaded' },
        });
      }),
    );
  });
});

describe('several rules at once', () => {
  it('count a call in all of them, or in none: of what is enforced; what watches never refuses', async () => {
    const amount = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(
        amount,
        amount,
        amount,
        fc.integer({ min: 1, max: 20 }),
        async (one, two, three, count) => {
          const limits = limitsAt(() => 0);
          const rules = rulesOf(
            `  rateLimits:
    - { name: one, limits: { calls: [${one}/min, ${one + two}/day] } }
    - { name: two, limits: { calls: ${two}/hour }, per: [principal] }
    - { name: three, limits: { calls: ${three}/min, concurrency: 1 }, mode: audit }`,
          );
          const answers = await Promise.all(
            Array.from({ length: count }, () => limits.begin(rules, factsOf('user:a'), NONE)),
          );
          const passed = Math.min(one, two, count);
          expect(answers.filter(({ refused }) => refused === undefined)).toHaveLength(passed);
          const counted = limits.counters(rules).map(({ limit, used }) => [limit.unit, used]);
          expect(counted).toEqual([...Array<unknown>(4).fill(['calls', passed]), ['concurrency', 1]]);
          const noted = answers.flatMap((answer) => (answer.refused === undefined ? answer.audited : []));
          expect(noted).toHaveLength(passed - 1);
          for (const answer of answers) if (answer.refused === undefined) answer.ticket.end(NONE);
        },
      ),
    );
  });

  it('give back the places that one rule gave when another refuses', async () => {
    const limits = limitsAt(() => 0);
    const rules = rulesOf(
      `  rateLimits:
    - { name: places, limits: { concurrency: 1 } }
    - { name: calls, when: { subjects: ["user:b"] }, limits: { calls: 1/day } }`,
    );
    const by = async (subject: string): Promise<string | undefined> => {
      const admission = await limits.begin(
        rules,
        factsOf(subject, {
          person: { subject, names: new Set([subject]), administrator: false, facts: {} },
        }),
        NONE,
      );
      if (admission.refused !== undefined) return admission.refused.rule;
      admission.ticket.end(NONE);
      return undefined;
    };
    expect([await by('user:b'), await by('user:b'), await by('user:a')]).toEqual([
      undefined,
      'calls',
      undefined,
    ]);
  });

  it('do not refuse what uses nothing of what is used up', async () => {
    const rules = rulesOf('  budgets: [{ name: b, limits: { cost: 1/day } }]');
    const limits = limitsAt(() => 0);
    (await begun(limits, rules, { tokens: 0, cost: 1 })).end({ tokens: 0, cost: 2 });
    expect((await limits.begin(rules, factsOf('user:a'), { tokens: 5, cost: 0 })).refused).toBeUndefined();
    expect((await limits.begin(rules, factsOf('user:a'), { tokens: 5, cost: 0.01 })).refused).toBeDefined();
  });
});

describe('values that a caller makes up', () => {
  const rules = rulesOf('  rateLimits: [{ name: r, limits: { calls: 1/min }, per: [metadata.feature] }]');

  it('have counters of their own up to a number; beyond it they share that of who says nothing', async () => {
    let now = 0;
    const limits = limitsAt(() => now);
    const call = async (feature: string, subject = 'user:a'): Promise<boolean> => {
      const person = { subject, names: new Set([subject]), administrator: false, facts: {} };
      return (
        (await limits.begin(rules, factsOf(subject, { person, metadata: { feature } }), NONE)).refused ===
        undefined
      );
    };
    let passed = 0;
    for (let at = 0; at < 2_000; at++) if (await call(`made-up-${at}`)) passed += 1;
    expect(passed).toBe(MAX_VALUES + 1);
    expect([await call('made-up-0'), await call('honest', 'user:b')]).toEqual([false, true]);
    now += 62_000;
    const again = [await call('made-up-1999'), await call('made-up-1998'), await call('made-up-0')];
    expect(again).toEqual([true, true, true]);
  });
});

describe('a budget', () => {
  it('says each threshold once in a period, whatever is given back, and after a restart', async () => {
    let now = 0;
    const alerts: number[] = [];
    const state = createMemorySharedState(() => now);
    const make = (): Limits =>
      createLimits(
        state,
        ({ percent }) => alerts.push(percent),
        () => now,
      );
    let limits = make();
    const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day }, alerts: [50, 90] }]');
    const long = await begun(limits, rules, { tokens: 55, cost: 0 });
    (await begun(limits, rules, { tokens: 1, cost: 0 })).end({ tokens: 1, cost: 0 });
    long.end({ tokens: 1, cost: 0 });
    (await begun(limits, rules, { tokens: 60, cost: 0 })).end({ tokens: 60, cost: 0 });
    expect(alerts).toEqual([50]);
    limits = make();
    (await begun(limits, rules, { tokens: 1, cost: 0 })).end({ tokens: 1, cost: 0 });
    expect(alerts).toEqual([50]);
    (await begun(limits, rules, { tokens: 30, cost: 0 })).end({ tokens: 30, cost: 0 });
    now += 86_400_000;
    (await begun(limits, rules, { tokens: 95, cost: 0 })).end({ tokens: 95, cost: 0 });
    expect(alerts).toEqual([50, 90, 90]);
  });

  it('says once at each threshold what is spent', async () => {
    const alerts: Alert[] = [];
    const limits = limitsAt(
      () => 0,
      (alert) => alerts.push(alert),
    );
    const rules = rulesOf(
      '  budgets: [{ name: b, limits: { cost: 10/month }, per: [principal], alerts: [100, 50] }]',
    );
    for (const cost of [1, 5, 1, 3, 1]) {
      const admission = await limits.begin(rules, factsOf('user:a'), { tokens: 0, cost: 0 });
      if (admission.refused === undefined) admission.ticket.end({ tokens: 0, cost });
    }
    expect(alerts).toMatchObject([
      { rule: 'b', percent: 50, used: 6, limit: '10/month', holder: { principal: 'user:a' } },
      { rule: 'b', percent: 100, used: 10 },
    ]);
  });

  it('refuses what has no price, unless it says otherwise', async () => {
    const limits = limitsAt(() => 0);
    const begin = (more: string) =>
      limits.begin(
        rulesOf(`  budgets: [{ name: b${more.length}, limits: { cost: 10/month }${more} }]`),
        factsOf('user:a'),
        {
          tokens: 1,
          cost: null,
        },
      );
    expect((await begin('')).refused).toMatchObject({
      kind: 'budget-exhausted',
      message: expect.stringContaining('models.prices'),
    });
    expect((await begin(', unpriced: allow')).refused).toBeUndefined();
  });
});

describe('holders', () => {
  it('are all teams of a caller, and one for all who leave a key out', async () => {
    const limits = limitsAt(() => 0);
    const rules = rulesOf(
      '  rateLimits: [{ name: r, limits: { calls: 2/min }, per: [team, metadata.feature] }]',
    );
    const begin = async (teams: string[], metadata: Record<string, string> = {}): Promise<boolean> => {
      const names = new Set(teams.map((team) => `team:${team}`));
      const person = { subject: 'user:a', names, administrator: false, facts: {} };
      return (
        (await limits.begin(rules, factsOf('', { person, metadata }), { tokens: 0, cost: 0 })).refused ===
        undefined
      );
    };
    expect([
      await begin(['x', 'y']),
      await begin(['x']),
      await begin(['x', 'y']),
      await begin(['y']),
    ]).toEqual([true, true, false, true]);
    expect(await begin(['x'], { feature: 'search' })).toBe(true);
    expect(await begin(['x'], { other: 'search' })).toBe(false);
  });
});
