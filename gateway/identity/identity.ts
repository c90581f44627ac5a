import { createSecretKey } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { isToken } from '../contract/token.ts';
import type { ConfigStore, TokenRecord } from '../storage/contracts.ts';
import { WHOLE_SCOPE, type Principal } from './principal.ts';
import { isJwt, type ExternalIdentity, type LackingScopes } from './external.ts';
import { hashToken } from './tokens.ts';

/** Who is calling. Everything here answers from memory. */
export interface Identity {
  /** The principal of a gateway token; undefined when it is unknown, expired, revoked or malformed. */
  authenticate(token: string): Principal | undefined;
  /** The principal of another issuer's token; undefined when it is none, or no issuer is trusted. May take time. */
  authenticateExternal(token: string): Principal | undefined | Promise<Principal | LackingScopes | undefined>;
  /** The principal of a gateway token by its id, as long as it holds: for work that goes on after a restart. */
  resume(tokenId: string, subject: string): Principal | undefined;
  /** True while the token that made this principal still holds, as it was: long runs and open streams ask again. */
  holds(principal: Principal): boolean;
  close(): void;
}

/** The subject that a gateway's own operator acts as. */
export const OWNER = 'user:owner';
const NO_CLAIMS: Principal['claims'] = { teams: [] };

/**
 * `ownerToken` makes its bearer the owner while this process lives; it is kept in memory only. All other tokens
 * come from the store, where a change takes effect on the next request.
 */
export function createIdentity(deps: {
  readonly store: ConfigStore;
  readonly key: Buffer;
  readonly ownerToken?: string | undefined;
  readonly external?: ExternalIdentity;
  /** True for the principal of a browser that is signed in. */
  readonly signedIn?: (principal: Principal) => boolean;
  readonly now: () => number;
}): Identity {
  const { store, now } = deps;
  // Made once: with a key of bytes, every hash would make it anew, at six times the cost.
  const key = createSecretKey(deps.key);
  const owner: Principal = {
    subject: OWNER,
    tokenId: 'owner-session',
    administrator: true,
    claims: NO_CLAIMS,
    scope: WHOLE_SCOPE,
  };
  const ownerHash = deps.ownerToken === undefined ? undefined : hashToken(key, deps.ownerToken);
  let tokens = index(store.current().tokens);
  const stop = store.onChange((state) => (tokens = index(state.tokens, tokens.byPrincipal)));

  return {
    authenticate: (text) => {
      if (!isToken(text)) return undefined;
      // Looking up the keyed hash leaks nothing about the token by its timing.
      const hash = hashToken(key, text);
      if (hash === ownerHash) return owner;
      // A token that was made or taken back elsewhere, as on the command line, counts from the next request on.
      store.catchUp();
      const known = tokens.byHash.get(hash);
      return known !== undefined && known.expires > now() ? known.principal : undefined;
    },
    authenticateExternal: (text) => (isJwt(text) ? deps.external?.authenticate(text) : undefined),
    resume: (tokenId, subject) => {
      if (tokenId === owner.tokenId && subject === OWNER)
        return deps.ownerToken === undefined ? undefined : owner;
      const known = [...tokens.byPrincipal].find(([one]) => one.tokenId === tokenId);
      return known?.[0].subject === subject && known[1] > now() ? known[0] : undefined;
    },
    holds: (principal) => {
      if (principal === owner) return true;
      const expires = tokens.byPrincipal.get(principal);
      if (expires !== undefined) return expires > now();
      return deps.external?.holds(principal) === true || deps.signedIn?.(principal) === true;
    },
    close: stop,
  };
}

interface TokenIndex {
  /** By the hash of each value that counts; a rotated token has two for a while. `expires`: ms since the epoch. */
  readonly byHash: ReadonlyMap<string, { readonly principal: Principal; readonly expires: number }>;
  readonly byPrincipal: ReadonlyMap<Principal, number>;
}

/** A principal stays the same one as long as its token says the same: sessions and streams are bound to it. */
function index(records: readonly TokenRecord[], before?: TokenIndex['byPrincipal']): TokenIndex {
  const former = new Map([...(before?.keys() ?? [])].map((principal) => [principal.tokenId, principal]));
  const byHash = new Map<string, { principal: Principal; expires: number }>();
  const byPrincipal = new Map<Principal, number>();
  for (const { id, hash, previous, subject, administrator, scope, expiresAt } of records) {
    const made: Principal = { subject, tokenId: id, administrator, claims: NO_CLAIMS, scope };
    const known = former.get(id);
    const principal = known !== undefined && isDeepStrictEqual(known, made) ? known : made;
    const expires = expiresAt === null ? Infinity : Date.parse(expiresAt);
    byHash.set(hash, { principal, expires });
    if (previous !== null)
      byHash.set(previous.hash, { principal, expires: Math.min(expires, Date.parse(previous.until)) });
    byPrincipal.set(principal, expires);
  }
  return { byHash, byPrincipal };
}
