import type { Config } from '../config/schema.ts';
import type { Principal } from '../identity/principal.ts';
import type { Decide, Decision } from './decide.ts';
import { createPeople } from './people.ts';
import { reachesGroup } from './scope.ts';

/** What has to be known of a request to say who decides it. */
export interface ApprovalQuestion {
  /** Who wants to call. */
  readonly caller: string;
  /** The group of the server that is called. */
  readonly group: string;
  readonly approvers: readonly string[];
  readonly fourEyes: boolean;
}

/** Says who may approve a call. Pure, as `decide` is. */
export type MayApprove = (principal: Principal, question: ApprovalQuestion) => Decision;

/**
 * Approvers are those whom the policy names; where it names nobody, administrators and who manages the group. With
 * four eyes nobody approves their own call. A token that was narrowed to servers, tools or models approves nothing.
 */
export function createMayApprove(config: Config, decide: Decide): MayApprove {
  const personOf = createPeople(config.subjects);
  return (principal, { caller, group, approvers, fourEyes }) => {
    const person = personOf(principal);
    const { scope } = principal;
    if (person.barred !== undefined) return deny(person.barred.rule, person.barred.reason);
    if (scope.servers !== null || scope.tools !== null || scope.models !== null)
      return deny('token-scope', 'a token narrowed to servers, tools or models does not approve');
    if (!reachesGroup(scope, group))
      return deny('token-scope', `the token is narrowed to others than the group ${group}`);
    if (fourEyes && person.subject === caller)
      return deny('four-eyes', 'nobody approves their own call here (fourEyes)');
    if (approvers.length > 0)
      return approvers.some((name) => person.names.has(name))
        ? { effect: 'allow', rule: 'approvers', reason: `${person.subject} is an approver` }
        : deny('approvers', `this is approved by ${approvers.join(', ')}`);
    const manages = decide(principal, { action: 'manage', group });
    return manages.effect === 'allow'
      ? manages
      : deny('approvers', `this is approved by administrators and those who manage the group ${group}`);
  };
}

function deny(rule: string, reason: string): Decision {
  return { effect: 'deny', rule, reason };
}
