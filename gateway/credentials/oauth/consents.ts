import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import {
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  type AuthorizationServer,
} from 'oauth4webapi';
import type { Clients, ClientDescription, OauthClient } from './client.ts';
import { discover } from './discovery.ts';
import { OauthError } from './errors.ts';
import { redeem } from './exchange.ts';
import { grantOf, type Grants } from './grants.ts';
import type { Holder, OauthTarget } from './target.ts';
import type { OauthFetch } from './wire.ts';

/** A consent that somebody is to give, in a browser. */
export interface Consent {
  /** Unguessable; part of the address to open. */
  readonly id: string;
  readonly target: OauthTarget;
  readonly holder: Holder;
  /** Who asked for it, by subject. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Where the last page leads back to. */
  readonly returnTo?: string | undefined;
}

/**
 * Consents under way: from a call that lacks one, by the browser of a person, to the tokens (MCP 2025-11-25 and
 * 2026-07-28, Authorization; OAuth 2.1, Authorization Code Grant with PKCE).
 */
export interface Consents {
  /** The consent to give; the one that is under way already, where there is one. Throws an `OauthError` when too many are. */
  begin(target: OauthTarget, holder: Holder, by: string, returnTo?: string): Consent;
  find(id: string): Consent | undefined;
  /**
   * Where to send the browser, and what to give it: the way back takes only a browser that has that. Finds the
   * authorization server and registers with it. `browser` is what this one was given before. Rejects with an `OauthError`.
   */
  start(id: string, browser: string | undefined): Promise<{ readonly url: string; readonly browser: string }>;
  /** Takes the browser that came back, and keeps the tokens. Rejects with an `OauthError`. */
  finish(response: URLSearchParams, browser: string | undefined): Promise<Consent>;
  /** True when the consent was given; false when it lapsed or failed, or `signal` aborts. */
  given(consent: Consent, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

const CONSENT_MS = 10 * 60_000;
const MAX_CONSENTS = 1_000;

interface Pending extends Consent {
  returnTo?: string | undefined;
  readonly over: Promise<boolean>;
  readonly end: (given: boolean) => void;
  readonly timer: NodeJS.Timeout;
  /** What the browser was sent with; the latest start counts. */
  started?: Started;
}

interface Started {
  readonly state: string;
  readonly verifier: string;
  readonly browser: string;
  readonly redirectUri: string;
  readonly as: AuthorizationServer;
  readonly client: OauthClient;
  readonly resource: string;
  readonly scopes: readonly string[];
}

export function createConsents({
  grants,
  clients,
  fetchFor,
  description,
  onGiven,
  now,
}: {
  readonly grants: Grants;
  readonly clients: Clients;
  readonly fetchFor: (allowPrivateAddress: boolean) => OauthFetch;
  readonly description: () => ClientDescription;
  readonly onGiven: (consent: Consent) => void;
  readonly now: () => number;
}): Consents {
  const pending = new Map<string, Pending>();
  const end = (one: Pending, given: boolean): void => {
    clearTimeout(one.timer);
    pending.delete(one.id);
    one.end(given);
  };
  return {
    begin: (target, holder, by, returnTo) => {
      const same = [...pending.values()].find(
        (one) => one.by === by && one.holder === holder && isSame(one.target, target),
      );
      if (same !== undefined) {
        same.returnTo = returnTo ?? same.returnTo;
        return same;
      }
      if (pending.size >= MAX_CONSENTS)
        throw new OauthError(`${MAX_CONSENTS} sign-ins are under way, the limit; try again in some minutes`);
      const id = randomBytes(24).toString('base64url');
      let resolve: (given: boolean) => void = () => undefined;
      const over = new Promise<boolean>((settle) => (resolve = settle));
      const timer = setTimeout(() => end(one, false), CONSENT_MS).unref();
      const one: Pending = {
        id,
        target,
        holder,
        by,
        expiresAt: now() + CONSENT_MS,
        returnTo,
        over,
        end: resolve,
        timer,
      };
      pending.set(id, one);
      return one;
    },
    find: (id) => pending.get(id),
    start: async (id, former) => {
      const one = pending.get(id);
      if (one === undefined) throw new OauthError('this sign-in is over or has expired; ask for a new one');
      const { target, holder } = one;
      const found = await discover(target, fetchFor(target.allowPrivateAddress));
      const { as, resource } = found;
      requirePkce(as);
      const described = description();
      const client = await clients.obtain(target, as, described);
      const scopes = scopesFor(target, found, grants.get(target, holder));
      const state = randomBytes(24).toString('base64url');
      // A person may sign in to several servers at once, in one browser.
      const browser = former ?? randomBytes(24).toString('base64url');
      const verifier = generateRandomCodeVerifier();
      const { redirectUri } = described;
      one.started = { state, verifier, browser, redirectUri, as, client, resource, scopes };
      return { url: await addressOf(one.started), browser };
    },
    finish: async (response, browser) => {
      const state = response.get('state') ?? '';
      const one = [...pending.values()].find(
        ({ started }) => started !== undefined && isEqual(started.state, state),
      );
      const started = one?.started;
      if (one === undefined || started === undefined)
        throw new OauthError('this sign-in is over or has expired; ask for a new one');
      if (!isEqual(started.browser, browser ?? ''))
        throw new OauthError('this is not the browser that the sign-in was begun in; begin it in this one');
      // A code is good for one try, whatever comes of it.
      delete one.started;
      const { target, holder } = one;
      const { as, client, resource, scopes } = started;
      // Of endpoints that the configuration names, the issuer is not known.
      if (target.auth.tokenUrl !== undefined) response.delete('iss');
      const parties = { as, client, resource, fetch: fetchFor(target.allowPrivateAddress) };
      const tokens = await redeem(parties, response, started);
      await grants.set(target, holder, grantOf(parties, tokens, { id: randomUUID(), scopes, now: now() }));
      onGiven(one);
      end(one, true);
      return one;
    },
    given: (consent, signal) => {
      const one = pending.get(consent.id);
      if (one === undefined)
        return Promise.resolve(grants.get(consent.target, consent.holder)?.problem === undefined);
      return new Promise((resolve) => {
        const give = (): void => resolve(false);
        signal.addEventListener('abort', give, { once: true });
        void one.over.then((given) => {
          signal.removeEventListener('abort', give);
          resolve(given);
        });
        if (signal.aborted) give();
      });
    },
    close: () => {
      for (const one of [...pending.values()]) end(one, false);
    },
  };
}

/** An authorization server that does not say so may ignore it (MCP, Authorization Code Protection). */
function requirePkce({ issuer, code_challenge_methods_supported: methods }: AuthorizationServer): void {
  if (methods?.includes('S256') === true) return;
  throw new OauthError(
    `${issuer} does not say that it supports PKCE with S256, without which a code could be stolen`,
  );
}

/** What to ask for (MCP 2026-07-28, Scope Selection Strategy): what was granted before stays. */
function scopesFor(
  { auth }: OauthTarget,
  {
    scopes: needed,
    as,
  }: { readonly scopes: readonly string[] | undefined; readonly as: AuthorizationServer },
  former:
    | {
        readonly scopes: readonly string[];
        readonly problem?: { readonly scopes: readonly string[] } | undefined;
      }
    | undefined,
): string[] {
  const wanted = auth.scopes ?? needed ?? [];
  const more = former?.problem?.scopes ?? [];
  const kept = more.length > 0 ? (former?.scopes ?? []) : [];
  const offline = as.scopes_supported?.includes('offline_access') === true ? ['offline_access'] : [];
  const all = [...wanted, ...kept, ...more];
  return [...new Set([...all, ...offline])];
}

async function addressOf({
  as,
  client,
  state,
  verifier,
  redirectUri,
  resource,
  scopes,
}: Started): Promise<string> {
  const url = URL.canParse(as.authorization_endpoint ?? '')
    ? new URL(as.authorization_endpoint ?? '')
    : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new OauthError(`${as.issuer} names no address to sign in at`);
  const parameters = {
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    // OpenID Connect Core, section 11: offline access is granted only where somebody is asked.
    ...(scopes.includes('offline_access') && { prompt: 'consent' }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

function isSame(one: OauthTarget, other: OauthTarget): boolean {
  return one.id === other.id && one.fingerprint === other.fingerprint;
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
