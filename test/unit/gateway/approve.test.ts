import { describe, expect, it } from 'vitest';
import { createMayApprove } from '../../../gateway/access/approve.ts';
import { createDecide } from '../../../gateway/access/decide.ts';
import { WHOLE_SCOPE, type Principal } from '../../../gateway/identity/principal.ts';
import { parsed } from './support.ts';

/** P146 P164 Who may approve a call. */
const config = parsed(`version: 1
subjects:
  users: [{ name: gone, disabled: true }]
  serviceAccounts: [{ name: bot, team: security }]
  teams: [{ name: security, members: ["user:carol", "user:gone"] }]
groups:
  - { name: prod, access: { manage: ["user:mona"] } }
  - { name: dev }
`);
const mayApprove = createMayApprove(config, createDecide(config));
const who = (subject: string, more: Partial<Principal> = {}): Principal => ({
  ...{ subject, tokenId: 't', administrator: true, claims: { teams: [] }, scope: WHOLE_SCOPE },
  ...more,
});
const QUESTION = { caller: 'user:dev', group: 'prod', approvers: ['team:security'], fourEyes: true };
const rule = (principal: Principal, more: Partial<typeof QUESTION> = {}): string => {
  const decision = mayApprove(principal, { ...QUESTION, ...more });
  return decision.effect === 'allow' ? 'allow' : decision.rule;
};

describe('an approver', () => {
  it('is whom the policy names, by subject or team, of the configuration or the token', () => {
    for (const one of [
      who('user:carol'),
      who('serviceaccount:bot'),
      who('user:x', { claims: { teams: ['security'] } }),
    ])
      expect(rule(one)).toBe('allow');
    for (const one of ['user:mona', 'user:owner', 'user:dev', 'user:security'])
      expect([one, rule(who(one))]).toEqual([one, one === 'user:dev' ? 'four-eyes' : 'approvers']);
  });

  it('is who manages the group, where nobody is named', () => {
    for (const one of ['user:mona', 'user:owner']) expect(rule(who(one), { approvers: [] })).toBe('allow');
    expect(rule(who('user:owner', { administrator: false }), { approvers: [] })).toBe('approvers');
    expect(rule(who('user:mona'), { approvers: [], group: 'dev' })).toBe('approvers');
    expect(rule(who('user:carol'), { approvers: [] })).toBe('approvers');
  });

  it('is nobody who is disabled or not declared, nor the caller unless that may be', () => {
    expect(rule(who('user:gone'))).toBe('subjects.users[0].disabled');
    expect(rule(who('serviceaccount:none'), { approvers: ['serviceaccount:none'] })).toBe(
      'subjects.serviceAccounts',
    );
    expect(rule(who('user:carol'), { caller: 'user:carol' })).toBe('four-eyes');
    expect(rule(who('user:carol'), { caller: 'user:carol', fourEyes: false })).toBe('allow');
  });

  it('has a token that is narrowed to groups at most, and to that one', () => {
    const narrowed = (scope: Partial<Principal['scope']>): string =>
      rule(who('user:carol', { scope: { ...WHOLE_SCOPE, ...scope } }));
    expect(narrowed({ groups: ['prod'] })).toBe('allow');
    for (const scope of [
      { groups: ['dev'] },
      { servers: ['prod:mongo'] },
      { tools: ['prod:*'] },
      { models: ['*'] },
    ])
      expect([scope, narrowed(scope)]).toEqual([scope, 'token-scope']);
  });
});
