import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { isToken, newToken } from '../contract/token.ts';
import type { ConfigStore, TokenRecord } from '../storage/contracts.ts';
import { WHOLE_SCOPE, type Principal, type TokenScope } from './principal.ts';

export interface NewToken {
  readonly name: string;
  readonly subject: string;
  readonly administrator: boolean;
  readonly scope: TokenScope;
  /** Milliseconds from now; null for a token that does not expire. */
  readonly lifetime: number | null;
}

/** Who is calling. Everything here answers from memory. */
export interface Identity {
  /** The principal of a bearer token; undefined when the token is unknown, expired, revoked or malformed. */
  authenticate(token: string): Principal | undefined;
  /** True while the token that made this principal still holds: long runs and open streams ask again. */
  holds(principal: Principal): boolean;
  close(): void;
}

/** The subject that a gateway's own operator acts as. */
export const OWNER = 'user:owner';
const NO_CLAIMS: Principal['claims'] = { teams: [] };
const OWNER_TOKEN_ID = 'owner-session';

/**
 * `ownerToken` makes its bearer the owner while this process lives; it is kept in memory only. All other tokens
 * come from the store, where a change takes effect on the next request.
 */
export function createIdentity(deps: {
  readonly store: ConfigStore;
  readonly key: Buffer;
  readonly ownerToken?: string | undefined;
  readonly now: () => number;
}): Identity {
  const { store, now } = deps;
  // Made once: with a key of bytes, every hash would make it anew, at six times the cost.
  const key = createSecretKey(deps.key);
  const issued = new WeakSet<Principal>();
  const owner: Principal = {
    subject: OWNER,
    tokenId: OWNER_TOKEN_ID,
    administrator: true,
    claims: NO_CLAIMS,
    scope: WHOLE_SCOPE,
  };
  const ownerHash = deps.ownerToken === undefined ? undefined : hashToken(key, deps.ownerToken);
  let tokens = index(store.current().tokens);
  const stop = store.onChange((state) => (tokens = index(state.tokens)));
  const alive = (token: KnownToken | undefined): token is KnownToken =>
    token !== undefined && token.expires > now();

  return {
    authenticate: (text) => {
      if (!isToken(text)) return undefined;
      // Looking up the keyed hash leaks nothing about the token by its timing.
      const hash = hashToken(key, text);
      const token = tokens.byHash.get(hash);
      const principal = hash === ownerHash ? owner : alive(token) ? token.principal : undefined;
      if (principal !== undefined) issued.add(principal);
      return principal;
    },
    holds: (principal) => {
      if (!issued.has(principal)) return false;
      return principal === owner || alive(tokens.byId.get(principal.tokenId));
    },
    close: stop,
  };
}

interface KnownToken {
  readonly principal: Principal;
  /** Milliseconds since the epoch; infinity for never. */
  readonly expires: number;
}

interface TokenIndex {
  readonly byHash: ReadonlyMap<string, KnownToken>;
  readonly byId: ReadonlyMap<string, KnownToken>;
}

function index(records: readonly TokenRecord[]): TokenIndex {
  const byHash = new Map<string, KnownToken>();
  const byId = new Map<string, KnownToken>();
  for (const { id, hash, subject, administrator, scope, expiresAt } of records) {
    const known = {
      principal: { subject, tokenId: id, administrator, claims: NO_CLAIMS, scope },
      expires: expiresAt === null ? Infinity : Date.parse(expiresAt),
    };
    byHash.set(hash, known);
    byId.set(id, known);
  }
  return { byHash, byId };
}

/** Makes a token and its record; the value exists nowhere else. */
export function issueToken(
  key: Buffer,
  request: NewToken,
  now: number,
): { readonly value: string; readonly record: TokenRecord } {
  const value = newToken('pat', randomBytes(32));
  const { name, subject, administrator, scope, lifetime } = request;
  const record: TokenRecord = {
    id: randomBytes(6).toString('hex'),
    name,
    subject,
    hash: hashToken(createSecretKey(key), value),
    kind: 'pat',
    administrator,
    scope,
    previous: null,
    createdAt: new Date(now).toISOString(),
    expiresAt: lifetime === null ? null : new Date(now + lifetime).toISOString(),
  };
  return { value, record };
}

function hashToken(key: KeyObject, token: string): string {
  return createHmac('sha256', key).update(token).digest('hex');
}
