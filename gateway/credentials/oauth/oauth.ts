import type { Dispatchers } from '../../upstream/dispatcher.ts';
import type { Authorizer } from '../../upstream/authorized.ts';
import type { SecretVault } from '../vault.ts';
import { createAuthorizer } from './authorizer.ts';
import { createClients, type ClientDescription } from './client.ts';
import { createConsents, type Consents } from './consents.ts';
import { GrantRefusedError } from './errors.ts';
import { revoke } from './exchange.ts';
import { createGrants, serverOf } from './grants.ts';
import { createRenewal } from './renewal.ts';
import type { Holder, OauthTarget } from './target.ts';
import { createOauthFetch } from './wire.ts';

/** How a holder's tokens for a server are. */
export interface GrantHealth {
  /** `consent`: somebody has to sign in, for the first time or again. */
  readonly state: 'ok' | 'consent';
  readonly issuer?: string;
  readonly scopes?: readonly string[];
  /** When somebody signed in; milliseconds since the epoch. */
  readonly signedInAt?: number;
  /** Milliseconds since the epoch; undefined where the authorization server did not say. */
  readonly validUntil?: number | undefined;
  /** Whether the gateway renews it by itself. */
  readonly renews?: boolean;
  /** Why somebody has to sign in again. */
  readonly problem?: string;
}

/** Tokens for servers that want OAuth (MCP 2025-11-25 and 2026-07-28, Authorization), kept in the vault. */
export interface Oauth {
  readonly consents: Consents;
  authorizer(target: OauthTarget, holder: Holder): Authorizer;
  /** Changes when somebody signs in anew; undefined while somebody has to. */
  signature(target: OauthTarget, holder: Holder): string | undefined;
  /** Whoever has tokens that can be used, by subject. */
  holders(target: OauthTarget): Holder[];
  health(target: OauthTarget, holder: Holder): GrantHealth;
  /** Everybody who ever signed in and did not sign out, whatever has become of it. */
  everHeld(target: OauthTarget): Holder[];
  /** Renews the token now. Rejects with an `OauthError` that says why that cannot be. */
  renew(target: OauthTarget, holder: Holder): Promise<void>;
  /**
   * Forgets the tokens, and has the authorization server revoke them. False when there were none; `told` is whether the
   * authorization server was told, which not all of them can be.
   */
  remove(target: OauthTarget, holder: Holder): Promise<{ readonly told: boolean } | undefined>;
  /** Called when somebody signs in or out, or has to sign in again; not when a token is refreshed. */
  onChange(listener: () => void): void;
  close(): void;
}

export function createOauth(deps: {
  readonly vault: SecretVault;
  readonly dispatchers: Dispatchers;
  readonly resolve: (text: string) => string;
  /** Told each secret that is used, so that it can be kept out of what is told. */
  readonly onSecret: (value: string) => void;
  readonly description: () => ClientDescription;
  readonly now: () => number;
}): Oauth {
  const { vault, onSecret, now } = deps;
  const listeners: (() => void)[] = [];
  const onChange = (): void => listeners.forEach((listener) => listener());
  const fetchFor = createOauthFetch(deps.dispatchers);
  const grants = createGrants(vault, onSecret);
  const clients = createClients({ vault, fetchFor, resolve: deps.resolve, onSecret, now });
  const renewal = createRenewal({ grants, clients, fetchFor, now, onChange });
  const consents = createConsents({
    ...{ grants, clients, fetchFor, now },
    description: deps.description,
    onGiven: onChange,
  });
  const health = (target: OauthTarget, holder: Holder): GrantHealth => {
    const grant = grants.get(target, holder);
    if (grant === undefined) return { state: isMachine(target) ? 'ok' : 'consent' };
    const { issuer, scopes, signedInAt, expiresAt, problem } = grant;
    const renews = isMachine(target) || grant.refreshToken !== undefined;
    const over = !renews && expiresAt !== undefined && expiresAt <= now();
    return {
      state: problem !== undefined || over ? 'consent' : 'ok',
      ...{ issuer, scopes, signedInAt, validUntil: expiresAt, renews },
      ...(problem !== undefined && { problem: problem.message }),
    };
  };
  const isUsable = (target: OauthTarget, holder: Holder): boolean => {
    const kind = grants.get(target, holder)?.problem?.kind;
    return kind === 'scopes' || (kind === undefined && health(target, holder).state === 'ok');
  };
  return {
    consents,
    authorizer: (target, holder) =>
      createAuthorizer({ grants, renewal, clients, fetchFor, now, onChange }, target, holder),
    signature: (target, holder) => {
      if (isMachine(target)) return 'machine';
      return isUsable(target, holder) ? grants.get(target, holder)?.id : undefined;
    },
    holders: (target) => grants.holders(target).filter((holder) => isUsable(target, holder)),
    everHeld: (target) => grants.holders(target),
    health,
    renew: async (target, holder) => {
      const grant = grants.get(target, holder);
      if (isMachine(target)) await renewal.obtain(target, holder);
      else if (grant === undefined) throw new GrantRefusedError('nobody has signed in');
      else await renewal.renew(target, holder, grant);
    },
    remove: async (target, holder) => {
      const grant = grants.get(target, holder);
      if (grant === undefined) return undefined;
      await grants.delete(target, holder);
      onChange();
      const as = serverOf(grant);
      const client = clients.known(target, as, grant.clientId);
      if (client === undefined || as.revocation_endpoint === undefined) return { told: false };
      const parties = { as, client, fetch: fetchFor(target.allowPrivateAddress) };
      try {
        await revoke(parties, grant.refreshToken ?? grant.accessToken);
        return { told: true };
      } catch {
        return { told: false };
      }
    },
    onChange: (listener) => void listeners.push(listener),
    close: () => consents.close(),
  };
}

function isMachine({ auth }: OauthTarget): boolean {
  return auth.grant === 'client-credentials';
}
