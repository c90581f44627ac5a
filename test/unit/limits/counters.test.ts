import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicies } from '../../../gateway/access/policies.ts';
import type { PolicyFacts } from '../../../gateway/access/when.ts';
import { createLimits, type CounterView, type Limits } from '../../../gateway/limits/limits.ts';
import { compileRules, holderIn, keyOf, type LimitRule } from '../../../gateway/limits/rules.ts';
import { createMemorySharedState } from '../../../gateway/storage/memory-shared-state.ts';
import type { SharedState } from '../../../gateway/storage/contracts.ts';
import { parsed } from '../gateway/support.ts';

/** P62 P73 The counters as they are shown, and what is told of them. */
const rulesOf = (policies: string): LimitRule[] =>
  compileRules(compilePolicies(parsed(`version: 1\npolicies:\n${policies}`)));
const factsOf = (subject: string, metadata: Record<string, string> = {}): PolicyFacts => ({
  person: { subject, names: new Set([subject, 'everyone']), administrator: false, facts: {} },
  ...{ tokenId: 't', targets: [], model: 'openai/gpt-4o', metadata, args: {}, at: 0 },
});
const over = (state: SharedState, now: () => number, told: number[] = []): Limits =>
  createLimits(state, ({ percent }) => told.push(percent), now);
const shown = (views: readonly CounterView[]): unknown[] =>
  views.map(({ rule, holder, used }) => [rule.name, holder.values, used]);

describe('counters', () => {
  it('of before a restart are shown, with whose they are, once their rule is there', async () => {
    const state = createMemorySharedState(() => 0);
    const text = '  budgets: [{ name: b, limits: { tokens: 100/day }, per: [principal, metadata.f] }]';
    const before = await over(state, () => 0).begin(rulesOf(text), factsOf('user:a', { f: '3:x y' }), {
      ...{ tokens: 7, cost: 0 },
    });
    expect(before.refused).toBeUndefined();
    const limits = over(state, () => 0);
    expect(limits.counters(rulesOf('  budgets: [{ name: other, limits: { tokens: 5/day } }]'))).toHaveLength(
      1,
    );
    const mine = { principal: 'user:a', 'metadata.f': '3:x y' };
    expect(shown(limits.counters(rulesOf(text)))).toEqual([['b', mine, 7]]);
    // Kept apart by something else now: nobody's.
    const changed = over(state, () => 0);
    expect(changed.counters(rulesOf(text.replace(', metadata.f', '')))).toEqual([]);
  });

  it('that all share are shown while nothing is used', () => {
    const limits = over(
      createMemorySharedState(() => 0),
      () => 0,
    );
    const rules = rulesOf(
      '  rateLimits: [{ name: r, limits: { calls: 5/min } }, { name: own, limits: { calls: 5/min }, per: [principal] }]',
    );
    expect(shown(limits.counters(rules))).toEqual([['r', {}, 0]]);
  });

  it('are read back from their keys, whatever is in them', () => {
    const [rule] = rulesOf(
      '  rateLimits: [{ name: r, limits: { calls: 5/min }, per: [principal, metadata.f] }]',
    );
    if (rule === undefined) throw new Error('there is one');
    fc.assert(
      fc.property(fc.string(), fc.string(), (subject, feature) => {
        const [holder] = rule.holdersOf(factsOf(subject, { f: feature }));
        for (const limit of rule.limits) expect(holderIn(rule, keyOf(rule, holder!, limit))).toEqual(holder);
      }),
    );
    for (const key of ['', 'x', '9:short', '1:a', '1:a1:bc'])
      expect(holderIn(rule, `r calls ${key}`)).toBeUndefined();
  });

  it('that are used up say in how long there is room, and count nothing by that', async () => {
    let now = 0;
    const limits = over(
      createMemorySharedState(() => now),
      () => now,
    );
    const rules = rulesOf('  rateLimits: [{ name: r, limits: { calls: 2/min } }]');
    const begin = () => limits.begin(rules, factsOf('user:a'), { tokens: 0, cost: 0 });
    const room = (): number | undefined => limits.counters(rules)[0]?.roomIn;
    await begin();
    expect([room(), room(), room()]).toEqual([0, 0, 0]);
    now += 10_000;
    await begin();
    const wait = room() ?? 0;
    expect(wait).toBeGreaterThanOrEqual(50_000);
    now += wait - 1;
    expect((await begin()).refused).toBeDefined();
    now += 1;
    expect(room()).toBe(0);
    expect((await begin()).refused).toBeUndefined();
  });
});

it('a threshold is told of, also where a call of the period before reaches it', async () => {
  let now = 0;
  const told: number[] = [];
  const limits = over(
    createMemorySharedState(() => now),
    () => now,
    told,
  );
  const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day }, alerts: [50] }]');
  const long = await limits.begin(rules, factsOf('user:a'), { tokens: 1, cost: 0 });
  now += 86_400_000;
  if (long.refused !== undefined) throw new Error('it may begin');
  long.ticket.end({ tokens: 80, cost: 0 });
  expect(told).toEqual([50]);
});

it('a budget that was begun anew is told of again', async () => {
  const told: number[] = [];
  const limits = over(
    createMemorySharedState(() => 0),
    () => 0,
    told,
  );
  const rules = rulesOf('  budgets: [{ name: b, limits: { tokens: 100/day }, alerts: [50] }]');
  for (let round = 1; round <= 2; round++) {
    const call = await limits.begin(rules, factsOf('user:a'), { tokens: 80, cost: 0 });
    if (call.refused !== undefined) throw new Error('it may begin');
    call.ticket.end({ tokens: 80, cost: 0 });
    limits.reset('b');
  }
  expect(told).toEqual([50, 50]);
});
