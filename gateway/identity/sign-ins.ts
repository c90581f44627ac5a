import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from './principal.ts';

/** Whom a browser is signed in as, and for how long that person's word counts. */
export interface Warrant {
  readonly principal: Principal;
  /** False from when on the token was revoked, or the issuer's configuration changed. */
  holds(): boolean;
}

/** Durations in milliseconds. */
export interface SignInTimes {
  /** Without a request for so long, it is over. */
  readonly idle: number;
  /** It is over after so long in any case. */
  readonly lifetime: number;
}

/**
 * Browsers that are signed in. Kept in memory: a restart ends them. Of what a browser holds only hashes are kept, and
 * what a signed-in browser may is what its warrant's principal may, for no longer than the warrant holds.
 */
export interface SignIns {
  /** Signs a browser in, whose page has this key. Undefined when the warrant does not hold, or its subject is barred. */
  open(warrant: Warrant, pageKey: string): Opened | undefined;
  /** The principal of a request; `page-key` when its page is another than the one that signed in. Counts as use. */
  find(id: string, pageKey: string | undefined): Principal | 'page-key' | undefined;
  /** Whose browser this is; it may do nothing by that alone, and it does not count as use. */
  subjectOf(id: string): string | undefined;
  /** True while the sign-in that this principal came from is not over. */
  holds(principal: Principal): boolean;
  /** When the sign-in of this principal ends at the latest, in ms since the epoch. */
  expiresAt(principal: Principal): number | undefined;
  end(principal: Principal): void;
}

export interface Opened {
  /** For the cookie; exists nowhere else. */
  readonly id: string;
  readonly principal: Principal;
}

const MAX_SIGN_INS = 10_000;
const MAX_OF_A_SUBJECT = 20;

interface Entry {
  readonly hash: string;
  readonly warrant: Warrant;
  /** A copy of the warrant's, so that one sign-in ends without another. */
  readonly principal: Principal;
  readonly pageKey: Buffer;
  readonly openedAt: number;
  usedAt: number;
}

export function createSignIns(deps: {
  readonly times: () => SignInTimes;
  /** True when the configuration bars whoever this is. */
  readonly barred: (principal: Principal) => boolean;
  readonly now: () => number;
}): SignIns {
  const { now } = deps;
  const entries = new Map<string, Entry>();
  const byPrincipal = new WeakMap<Principal, Entry>();

  const live = (entry: Entry): boolean => {
    const { idle, lifetime } = deps.times();
    const at = now();
    return (
      entries.get(entry.hash) === entry &&
      at < entry.openedAt + lifetime &&
      at < entry.usedAt + idle &&
      entry.warrant.holds() &&
      !deps.barred(entry.principal)
    );
  };
  /** Those that are over make room, then the oldest of the subject, then the oldest of all. */
  const makeRoom = (subject: string): void => {
    for (const entry of entries.values()) if (!live(entry)) entries.delete(entry.hash);
    const own = [...entries.values()].filter(({ principal }) => principal.subject === subject);
    for (const { hash } of own.slice(0, Math.max(0, own.length - MAX_OF_A_SUBJECT + 1))) entries.delete(hash);
    const [oldest] = entries.keys();
    if (entries.size >= MAX_SIGN_INS && oldest !== undefined) entries.delete(oldest);
  };

  return {
    open: (warrant, pageKey) => {
      if (!warrant.holds() || deps.barred(warrant.principal)) return undefined;
      const principal = { ...warrant.principal };
      makeRoom(principal.subject);
      const id = randomBytes(32).toString('base64url');
      const at = now();
      const hash = hashOf(id).toString('hex');
      const entry = { hash, warrant, principal, pageKey: hashOf(pageKey), openedAt: at, usedAt: at };
      entries.set(hash, entry);
      byPrincipal.set(principal, entry);
      return { id, principal };
    },
    find: (id, pageKey) => {
      const entry = entries.get(hashOf(id).toString('hex'));
      if (entry === undefined) return undefined;
      if (!live(entry)) {
        entries.delete(entry.hash);
        return undefined;
      }
      if (pageKey === undefined || !timingSafeEqual(hashOf(pageKey), entry.pageKey)) return 'page-key';
      entry.usedAt = now();
      return entry.principal;
    },
    subjectOf: (id) => {
      const entry = entries.get(hashOf(id).toString('hex'));
      return entry !== undefined && live(entry) ? entry.principal.subject : undefined;
    },
    holds: (principal) => {
      const entry = byPrincipal.get(principal);
      return entry !== undefined && live(entry);
    },
    expiresAt: (principal) => {
      const entry = byPrincipal.get(principal);
      return entry && entry.openedAt + deps.times().lifetime;
    },
    end: (principal) => {
      const entry = byPrincipal.get(principal);
      if (entry !== undefined) entries.delete(entry.hash);
    },
  };
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
