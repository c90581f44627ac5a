import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicies } from '../../../gateway/access/policies.ts';
import type { PolicyFacts } from '../../../gateway/access/when.ts';
import { createLimits, type Alert } from '../../../gateway/limits/limits.ts';
import { compileRules, type LimitRule } from '../../../gateway/limits/rules.ts';
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

describe('what is reserved and settled', () => {
  it('goes over a budget by no more than calls under way use beyond what they reserved', async () => {
    const calls = fc.array(
      fc.record({ expected: fc.integer({ min: 1, max: 30 }), actual: fc.integer({ min: 0, max: 60 }) }),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(calls, fc.scheduler(), async (orders, scheduler) => {
        const state = createMemorySharedState(() => 0);
        const limits = createLimits(state, () => undefined);
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
          const limits = createLimits(
            createMemorySharedState(() => 0),
            () => undefined,
          );
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

describe('a budget', () => {
  it('says once at each threshold what is spent', async () => {
    const alerts: Alert[] = [];
    const limits = createLimits(
      createMemorySharedState(() => 0),
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
    const limits = createLimits(
      createMemorySharedState(() => 0),
      () => undefined,
    );
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
    const limits = createLimits(
      createMemorySharedState(() => 0),
      () => undefined,
    );
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
