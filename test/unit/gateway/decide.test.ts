import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecide, type AccessRequest, type Decide } from '../../../gateway/access/decide.ts';
import type { ToolAnnotations } from '../../../gateway/contract/registry.ts';
import { parsed, principalOf } from './support.ts';

interface Rule {
  readonly match: string;
  readonly effect: 'allow' | 'deny';
}

const effect = fc.constantFrom('allow' as const, 'deny' as const);
const rules = fc.array(
  fc.record({
    match: fc.constantFrom(
      '@all',
      '@read-only',
      '@write',
      '@destructive',
      '@unannotated',
      'a*',
      '*b',
      'ab',
      'c?',
    ),
    effect,
  }),
  { maxLength: 6 },
);
const annotations = fc.constantFrom<ToolAnnotations | undefined>(
  undefined,
  { readOnlyHint: true },
  { readOnlyHint: false, destructiveHint: false },
);
const aTool = fc.record({ name: fc.constantFrom('a', 'ab', 'b', 'cd', 'x'), annotations });
const groups = fc.constantFrom(null, [], ['g'], ['h'], ['g', 'h']);

function decideOf(tools: readonly Rule[], unlistedTools: 'allow' | 'deny'): Decide {
  const server = { name: 's', command: 'x', tools, unlistedTools };
  return createDecide(
    parsed(
      JSON.stringify({
        version: 1,
        groups: [
          { name: 'g', servers: [server] },
          { name: 'h', servers: [server] },
        ],
      }),
    ),
  );
}

const use = (tool: { name: string; annotations?: ToolAnnotations | undefined }): AccessRequest => ({
  action: 'use',
  serverId: 'g:s',
  tool,
});

describe('P40 P113 decide', () => {
  it('does not depend on the order of rules', () => {
    fc.assert(
      fc.property(rules, effect, aTool, fc.infiniteStream(fc.nat()), (list, unlisted, tool, random) => {
        const shuffled = list
          .map((rule) => ({ rule, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ rule }) => rule);
        const answer = (order: readonly Rule[]): string =>
          decideOf(order, unlisted)(principalOf(), use(tool)).effect;
        expect(answer(shuffled)).toBe(answer(list));
      }),
    );
  });

  it('P41 lets a deny win: adding one never allows what was denied', () => {
    fc.assert(
      fc.property(rules, effect, aTool, fc.string({ minLength: 1 }), (list, unlisted, tool, extra) => {
        fc.pre(!extra.startsWith('@'));
        const before = decideOf(list, unlisted)(principalOf(), use(tool));
        const after = decideOf([...list, { match: extra, effect: 'deny' }], unlisted)(
          principalOf(),
          use(tool),
        );
        if (before.effect === 'deny') expect(after.effect).toBe('deny');
        if (after.effect === 'allow') expect(before.effect).toBe('allow');
      }),
    );
  });

  it('P84 never widens by narrowing: what a token for some groups may, one for all may', () => {
    const request = fc.oneof(
      aTool.map(use),
      fc.constantFrom<AccessRequest>(
        { action: 'see', serverId: 'g:s' },
        { action: 'see', serverId: 'h:s' },
        { action: 'use', serverId: 'g:s' },
        { action: 'see', serverId: 'nobody:s' },
        { action: 'manage' },
      ),
    );
    fc.assert(
      fc.property(rules, effect, groups, groups, request, (list, unlisted, few, more, asked) => {
        fc.pre(more === null || few?.every((group) => more.some((other) => other === group)) === true);
        const decide = decideOf(list, unlisted);
        const narrow = decide({ ...principalOf(few), administrator: true }, asked);
        const wide = decide({ ...principalOf(more), administrator: true }, asked);
        if (narrow.effect === 'allow') expect(wide.effect).toBe('allow');
      }),
    );
  });

  it('denies what it does not know', () => {
    const decide = decideOf([{ match: '@all', effect: 'allow' }], 'allow');
    for (const serverId of ['', 'g', 's', 'g:', 'g:s ', 'nobody:s', '__proto__', 'constructor']) {
      expect(decide(principalOf(), { action: 'see', serverId })).toMatchObject({ effect: 'deny' });
      expect(decide(principalOf(), { action: 'use', serverId, tool: { name: 'a' } }).effect).toBe('deny');
    }
    expect(decide(principalOf([]), { action: 'see', serverId: 'g:s' }).effect).toBe('deny');
  });

  it('allows an unlisted tool only where unlistedTools says so', () => {
    const rule: Rule = { match: 'ab', effect: 'allow' };
    expect(decideOf([rule], 'deny')(principalOf(), use({ name: 'x' }))).toMatchObject({
      effect: 'deny',
      rule: 'groups[0].servers[0].unlistedTools',
    });
    expect(decideOf([rule], 'allow')(principalOf(), use({ name: 'x' })).effect).toBe('allow');
    expect(decideOf([rule], 'deny')(principalOf(), use({ name: 'ab' })).effect).toBe('allow');
  });

  it('lets a tool be used only by those who may see its server', () => {
    fc.assert(
      fc.property(rules, effect, groups, aTool, (list, unlisted, reach, tool) => {
        const decide = decideOf(list, unlisted);
        const usable = decide(principalOf(reach), use(tool)).effect === 'allow';
        const seen = decide(principalOf(reach), { action: 'see', serverId: 'g:s' }).effect === 'allow';
        if (usable) expect(seen).toBe(true);
      }),
    );
  });

  it('lets only administrators of everything manage', () => {
    const decide = decideOf([], 'allow');
    const manage = (administrator: boolean, reach: readonly string[] | null): string =>
      decide({ ...principalOf(reach), administrator }, { action: 'manage' }).rule;
    expect(manage(false, null)).toBe('administrator');
    expect(manage(true, ['g'])).toBe('token-scope');
    expect(decide({ ...principalOf(null), administrator: true }, { action: 'manage' }).effect).toBe('allow');
  });

  it('names the rule that decided, by its place', () => {
    const decide = decideOf(
      [
        { match: 'a*', effect: 'allow' },
        { match: 'ab', effect: 'deny' },
      ],
      'deny',
    );
    expect(decide(principalOf(), use({ name: 'ab' })).rule).toBe('groups[0].servers[0].tools[1]');
    expect(decide(principalOf(), use({ name: 'a' })).rule).toBe('groups[0].servers[0].tools[0]');
  });
});
