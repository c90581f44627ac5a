import { compileGlob } from '../access/match.ts';
import { createPeople } from '../access/people.ts';
import type { Config } from '../config/schema.ts';
import { durationSchema } from '../config/units.ts';
import type { tokenRequestSchema } from '../contract/tokens.ts';
import type { TokenRecord } from '../storage/contracts.ts';
import type * as z from 'zod';
import { WHOLE_SCOPE, type Principal, type TokenScope } from './principal.ts';
import { kindOf, type NewToken } from './tokens.ts';

/** A token that cannot be made, and the input that is to blame. */
export class TokenError extends Error {
  readonly status: 400 | 403;
  readonly field: string;

  constructor(status: 400 | 403, field: string, message: string) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** Who makes a token, when it is not the gateway's operator on its machine. */
export interface Maker {
  readonly principal: Principal;
  /** It may make any token. */
  readonly administers: boolean;
  /** Its own token; none when it came without a stored one. */
  readonly record: TokenRecord | undefined;
}

export type TokenWish = Omit<z.output<typeof tokenRequestSchema>, 'subject'> & { readonly subject: string };

/** Checks a wish against the configuration, and against what its maker may give away. Throws a `TokenError`. */
export function toNewToken(wish: TokenWish, config: Config, now: number, maker?: Maker): NewToken {
  const { name, subject, administrator } = wish;
  const lifetime = wish.expires === undefined ? null : durationOf('expires', wish.expires);
  const scope = kindOf(subject) === 'vat' ? lockedScope(wish.scope) : wish.scope;
  mustExist(config, subject, scope);
  if (administrator) mustAdminister(config, subject, scope);
  const made: NewToken = {
    name,
    subject,
    administrator,
    scope,
    expires: lifetime === null ? null : now + lifetime,
  };
  if (maker !== undefined && !maker.administers) return withinMaker(made, maker);
  return made;
}

/** A duration, or a `TokenError` that names the field. */
export function durationOf(field: string, text: string): number {
  const duration = durationSchema.safeParse(text);
  if (duration.success) return duration.data;
  throw new TokenError(400, field, duration.error.issues[0]?.message ?? 'is no duration');
}

/** A service account's token reaches what it lists, and nothing that it leaves out. */
function lockedScope(scope: TokenScope): TokenScope {
  if (scope.groups === null && scope.servers === null && scope.tools === null && scope.models === null) {
    throw new TokenError(
      400,
      'scope.servers',
      "a service account's token is locked to what it lists: give servers, tools, groups or models",
    );
  }
  const reachesServers = scope.groups !== null || scope.servers !== null || scope.tools !== null;
  return { ...scope, servers: reachesServers ? scope.servers : [], models: scope.models ?? [] };
}

function mustExist({ groups, subjects }: Config, subject: string, scope: TokenScope): void {
  const [kind, id] = [kindOf(subject), subject.slice(subject.indexOf(':') + 1)];
  if (kind === 'vat' && !subjects.serviceAccounts.some(({ name }) => name === id)) {
    const known = subjects.serviceAccounts.map(({ name }) => name).join(', ') || 'none';
    throw new TokenError(
      400,
      'subject',
      `no service account "${id}" is declared under subjects; declared: ${known}`,
    );
  }
  const names = groups.map(({ name }) => name);
  const servers = groups.flatMap((group) => group.servers.map(({ name }) => `${group.name}:${name}`));
  const unknownGroup = scope.groups?.find((name) => !names.includes(name));
  if (unknownGroup !== undefined)
    throw new TokenError(400, 'scope.groups', `there is no group "${unknownGroup}"; groups: ${list(names)}`);
  const unknownServer = scope.servers?.find((id) => !servers.includes(id));
  if (unknownServer !== undefined)
    throw new TokenError(
      400,
      'scope.servers',
      `there is no server "${unknownServer}"; servers: ${list(servers)}`,
    );
  for (const pattern of scope.tools ?? []) {
    const [group = '', server, tool] = pattern.split(':');
    const matches = compileGlob(`${group}:${server ?? ''}`);
    if (tool === undefined || !servers.some(matches))
      throw new TokenError(
        400,
        'scope.tools',
        `"${pattern}" means no tool of a server; write group:server:tool`,
      );
  }
  const badModel = scope.models?.find((model) => !/^[^/\s]+\/\S+$/.test(model) && model !== '*');
  if (badModel !== undefined)
    throw new TokenError(400, 'scope.models', `"${badModel}" is no model; write provider/model, or *`);
}

function list(names: readonly string[]): string {
  return names.slice(0, 50).join(', ') || 'none';
}

function mustAdminister({ subjects }: Config, subject: string, scope: TokenScope): void {
  if (Object.values(scope).some((part) => part !== null))
    throw new TokenError(
      400,
      'administrator',
      'a token that is narrowed does not administer; leave one of both out',
    );
  const principal = { subject, tokenId: '', administrator: true, claims: { teams: [] }, scope: WHOLE_SCOPE };
  if (createPeople(subjects)(principal).administrator) return;
  const message = `${subject} is not among subjects.administrators of the configuration`;
  throw new TokenError(400, 'administrator', message);
}

/** Nobody gives away more than they have: subject, reach and time. */
function withinMaker(made: NewToken, { principal, record }: Maker): NewToken {
  if (made.subject !== principal.subject)
    throw new TokenError(403, 'subject', `this token makes tokens of ${principal.subject} only`);
  if (made.administrator)
    throw new TokenError(403, 'administrator', 'only administrators make tokens that administer');
  for (const part of ['groups', 'servers', 'tools', 'models'] as const) {
    if (isWithin(principal.scope[part], made.scope[part])) continue;
    const own = principal.scope[part]?.join(', ') ?? '';
    throw new TokenError(
      403,
      `scope.${part}`,
      `goes beyond the token that asks, which is narrowed to: ${own || 'none'}`,
    );
  }
  const end = record?.expiresAt == null ? Infinity : Date.parse(record.expiresAt);
  if (made.expires !== null && made.expires > end)
    throw new TokenError(
      403,
      'expires',
      `goes beyond the token that asks, which ends at ${new Date(end).toISOString()}`,
    );
  return { ...made, expires: made.expires ?? (end === Infinity ? null : end) };
}

function isWithin(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
  if (outer === null) return true;
  return inner?.every((name) => outer.some((pattern) => covers(pattern, name))) === true;
}

/** A pattern covers another for certain when it is the same, or the other is no pattern and fits. */
function covers(outer: string, inner: string): boolean {
  return outer === inner || (!/[*?]/.test(inner) && compileGlob(outer)(inner));
}
