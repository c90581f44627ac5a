import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecide, type AccessRequest, type Decide } from '../../../gateway/access/decide.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { WHOLE_SCOPE, type Principal, type TokenScope } from '../../../gateway/identity/principal.ts';
import { parsed } from './support.ts';

const SUBJECTS = ['user:owner', 'user:ann', 'user:ben', 'serviceaccount:bot', 'serviceaccount:undeclared'];
const GRANTEES = ['user:ann', 'user:ben', 'team:x', 'team:y', 'serviceaccount:bot', 'everyone'];
const CONDITIONS = [
  'args.a == 1',
  '"x" in principal.teams',
  'model == "p/m"',
  'args.missing.deep == 1',
  'true',
];
const PATTERNS = ['@all', '@read-only', '@write', 'a*', 'ab', 'c'];
const TOOLS = [{ name: 'ab', annotations: { readOnlyHint: true } }, { name: 'a' }, { name: 'c' }];

const rule = fc.record(
  {
    match: fc.constantFrom(...PATTERNS),
    effect: fc.constantFrom('allow', 'deny'),
    when: fc.constantFrom(...CONDITIONS),
  },
  { requiredKeys: ['match', 'effect'] },
);
const grantees = fc.subarray(GRANTEES, { maxLength: 3 });
const server = fc.record(
  {
    tools: fc.array(rule, { maxLength: 4 }),
    unlistedTools: fc.constantFrom('allow', 'deny'),
    access: fc.record({ use: grantees }),
  },
  { requiredKeys: ['tools', 'unlistedTools'] },
);
const policy = fc.record({
  g: server,
  h: server,
  access: fc.record({ use: grantees, manage: fc.subarray(['user:ann', 'team:x']) }),
  models: fc.array(
    fc.record(
      {
        models: fc.constant(['p/*']),
        use: grantees,
        tools: fc.subarray(['g:s:*', '@read-only', 'h:s:ab']),
      },
      { requiredKeys: ['models', 'use'] },
    ),
    { maxLength: 2 },
  ),
});
type Policy = typeof policy extends fc.Arbitrary<infer P> ? P : never;

function decideOf({ g, h, access, models }: Policy): Decide {
  return createDecide(
    parsed(
      JSON.stringify({
        version: 1,
        subjects: {
          teams: [
            { name: 'x', members: ['user:ann'] },
            { name: 'y', members: ['serviceaccount:bot'] },
          ],
          serviceAccounts: [{ name: 'bot' }],
        },
        groups: [
          { name: 'g', access, servers: [{ name: 's', command: 'x', ...g }] },
          { name: 'h', access, servers: [{ name: 's', command: 'x', ...h }] },
        ],
        models: { access: models },
      }),
    ),
  );
}

const scope: fc.Arbitrary<TokenScope> = fc.record({
  groups: fc.option(fc.subarray(['g', 'h'])),
  servers: fc.option(fc.subarray(['g:s', 'h:s'])),
  tools: fc.option(fc.subarray(['g:s:*', 'g:s:ab', 'h:*', '*:s:a?', 'h:s:c'])),
  models: fc.option(fc.subarray(['p/*', 'p/m', 'q/n'])),
});
const principal = fc
  .record({
    subject: fc.constantFrom(...SUBJECTS),
    administrator: fc.boolean(),
    scope,
    teams: fc.subarray(['x', 'z']),
  })
  .map(({ teams, ...rest }): Principal => ({ ...rest, tokenId: 't', claims: { teams } }));
const call = fc.record({
  args: fc.constantFrom<JsonObject>({}, { a: 1 }, { a: 2 }),
  model: fc.constantFrom('', 'p/m', 'q/n'),
  at: fc.constant(0),
});
const id = fc.constantFrom('g:s', 'h:s', 'g:other');
const request: fc.Arbitrary<AccessRequest> = fc.oneof(
  fc.record({ action: fc.constant('use' as const), serverId: id, tool: fc.constantFrom(...TOOLS), call }),
  fc.record({ action: fc.constant('use' as const), serverId: id, tool: fc.constantFrom(...TOOLS) }),
  fc.record({ action: fc.constant('use' as const), serverId: id }),
  fc.record({ action: fc.constant('see' as const), serverId: id }),
  fc.record({ action: fc.constant('enter' as const), group: fc.constantFrom('g', 'h', 'other') }),
  fc.record({ action: fc.constant('model' as const), model: fc.constantFrom('p/m', 'q/n') }),
  fc.record({ action: fc.constant('manage' as const), group: fc.constantFrom('g', 'h') }),
  fc.constant<AccessRequest>({ action: 'manage' }),
);
const allows = (decide: Decide, who: Principal, asked: AccessRequest): boolean =>
  decide(who, asked).effect === 'allow';

describe('P86 P87 P111–P113 the laws of access', () => {
  it('what is not listed cannot be called, and its server can be seen', () => {
    fc.assert(
      fc.property(
        policy,
        principal,
        id,
        fc.constantFrom(...TOOLS),
        call,
        (rules, who, serverId, tool, facts) => {
          const decide = decideOf(rules);
          if (!allows(decide, who, { action: 'use', serverId, tool, call: facts })) return;
          expect(allows(decide, who, { action: 'use', serverId, tool })).toBe(true);
          expect(allows(decide, who, { action: 'see', serverId })).toBe(true);
          expect(allows(decide, who, { action: 'enter', group: serverId.slice(0, 1) })).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('another deny never widens', () => {
    fc.assert(
      fc.property(policy, rule, principal, request, (rules, more, who, asked) => {
        const denied = {
          ...rules,
          g: { ...rules.g, tools: [...rules.g.tools, { ...more, effect: 'deny' }] },
        };
        if (allows(decideOf(denied as Policy), who, asked))
          expect(allows(decideOf(rules), who, asked)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('narrowing a token never widens, in any of its parts', () => {
    const part = fc.constantFrom('groups' as const, 'servers' as const, 'tools' as const, 'models' as const);
    fc.assert(
      fc.property(policy, principal, part, request, (rules, who, which, asked) => {
        const decide = decideOf(rules);
        const wider: Principal = { ...who, scope: { ...who.scope, [which]: null } };
        if (allows(decide, who, asked)) expect(allows(decide, wider, asked)).toBe(true);
        if (allows(decide, wider, asked))
          expect(allows(decide, { ...wider, scope: WHOLE_SCOPE }, asked)).toBe(true);
        const lesser = { ...who, administrator: false };
        if (allows(decide, lesser, asked)) expect(allows(decide, who, asked)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('the order of rules does not matter', () => {
    fc.assert(
      fc.property(policy, principal, request, (rules, who, asked) => {
        const turned = {
          ...rules,
          g: { ...rules.g, tools: rules.g.tools.toReversed() },
          models: rules.models.toReversed(),
        };
        expect(allows(decideOf(turned), who, asked)).toBe(allows(decideOf(rules), who, asked));
      }),
      { numRuns: 500 },
    );
  });

  it('whom no rule names may do nothing, and who is not declared or disabled neither', () => {
    fc.assert(
      fc.property(policy, request, (rules, asked) => {
        const closed = { ...rules, access: { use: [], manage: [] }, models: [] };
        const nobody: Principal = {
          subject: 'user:nobody',
          tokenId: 't',
          administrator: true,
          claims: { teams: [] },
          scope: WHOLE_SCOPE,
        };
        expect(allows(decideOf(closed), nobody, asked)).toBe(false);
        expect(allows(decideOf(rules), { ...nobody, subject: 'serviceaccount:undeclared' }, asked)).toBe(
          false,
        );
      }),
    );
  });
});
