import type { SubjectsConfig } from '../config/subjects.ts';
import type { Principal } from '../identity/principal.ts';

/** A principal with what the configuration says of its subject. */
export interface Person {
  readonly subject: string;
  /** All that rules can name it by: its subject, `team:NAME` of each of its teams, and `everyone`. */
  readonly names: ReadonlySet<string>;
  readonly administrator: boolean;
  /** Why it may do nothing at all. */
  readonly barred?: { readonly rule: string; readonly reason: string };
  /** As conditions see it. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Answers who principals are. What was found of one is kept as long as the principal itself. */
export function createPeople(subjects: SubjectsConfig): (principal: Principal) => Person {
  const declared = declaredOf(subjects);
  const teamsOf = new Map<string, string[]>();
  const join = (subject: string, team: string): void => {
    teamsOf.set(subject, [...(teamsOf.get(subject) ?? []), team]);
  };
  for (const { name, members } of subjects.teams) for (const member of members) join(member, name);
  for (const { name, team } of subjects.serviceAccounts)
    if (team !== undefined) join(`serviceaccount:${name}`, team);

  const known = new WeakMap<Principal, Person>();
  return (principal) => {
    let person = known.get(principal);
    if (person === undefined) {
      const teams = [...new Set([...(teamsOf.get(principal.subject) ?? []), ...principal.claims.teams])];
      person = personOf(principal, teams, declared.get(principal.subject), subjects.administrators);
      known.set(principal, person);
    }
    return person;
  };
}

interface Declared {
  readonly path: string;
  readonly disabled: boolean;
  readonly environment?: string | undefined;
  readonly project?: string | undefined;
}

function declaredOf({ users, serviceAccounts }: SubjectsConfig): Map<string, Declared> {
  const declared = new Map<string, Declared>();
  users.forEach((user, index) =>
    declared.set(`user:${user.name}`, { ...user, path: `subjects.users[${index}]` }),
  );
  serviceAccounts.forEach((account, index) =>
    declared.set(`serviceaccount:${account.name}`, {
      ...account,
      path: `subjects.serviceAccounts[${index}]`,
    }),
  );
  return declared;
}

function personOf(
  { subject, tokenId }: Principal,
  teams: readonly string[],
  declared: Declared | undefined,
  administrators: readonly string[],
): Person {
  const names = new Set([subject, ...teams.map((team) => `team:${team}`), 'everyone']);
  const barred = barringOf(subject, declared);
  const colon = subject.indexOf(':');
  return {
    subject,
    names,
    administrator: administrators.some((name) => names.has(name)),
    ...(barred !== undefined && { barred }),
    facts: {
      subject,
      kind: subject.slice(0, colon),
      id: subject.slice(colon + 1),
      teams,
      token: tokenId,
      environment: declared?.environment ?? '',
      project: declared?.project ?? '',
    },
  };
}

function barringOf(subject: string, declared: Declared | undefined): Person['barred'] {
  if (declared?.disabled === true)
    return { rule: `${declared.path}.disabled`, reason: `${subject} is disabled` };
  if (subject.startsWith('serviceaccount:') && declared === undefined)
    return { rule: 'subjects.serviceAccounts', reason: `${subject} is not declared` };
  return undefined;
}
