import { randomUUID } from 'node:crypto';
import type { Challenge } from '../../upstream/authorized.ts';
import type { Clients } from './client.ts';
import { discover } from './discovery.ts';
import { GrantRefusedError, OauthError } from './errors.ts';
import { clientCredentials, refresh } from './exchange.ts';
import { grantOf, refreshed, serverOf, type Grant, type Grants } from './grants.ts';
import type { Holder, OauthTarget } from './target.ts';
import type { OauthFetch } from './wire.ts';

export interface RenewalDeps {
  readonly grants: Grants;
  readonly clients: Clients;
  readonly fetchFor: (allowPrivateAddress: boolean) => OauthFetch;
  readonly now: () => number;
  /** Told when a grant is no good any more, or good again. */
  readonly onChange: () => void;
}

/**
 * Renews tokens without asking anybody. Of each token one renewal runs at a time, and whoever needs it waits for that one: a
 * refresh token that is used twice is taken for stolen, where refresh tokens rotate.
 */
export interface Renewal {
  /**
   * Other tokens for the grant that was `used`. Rejects with a `GrantRefusedError` when somebody has to sign in
   * again, which is kept with the grant, and with an `OauthError` when it may be tried again later.
   */
  renew(target: OauthTarget, holder: Holder, used: Grant): Promise<Grant>;
  /** Tokens by client credentials, which nobody has to consent to. Rejects with an `OauthError`. */
  obtain(target: OauthTarget, holder: Holder, challenge?: Challenge): Promise<Grant>;
}

export function createRenewal({ grants, clients, fetchFor, now, onChange }: RenewalDeps): Renewal {
  const running = new Map<string, Promise<Grant>>();
  const once = (target: OauthTarget, holder: Holder, work: () => Promise<Grant>): Promise<Grant> => {
    const key = JSON.stringify([target.id, target.fingerprint, holder]);
    const known = running.get(key);
    if (known !== undefined) return known;
    const made = work().finally(() => running.delete(key));
    running.set(key, made);
    return made;
  };
  const refreshNow = async (target: OauthTarget, holder: Holder, grant: Grant): Promise<Grant> => {
    const { refreshToken } = grant;
    if (refreshToken === undefined)
      throw new GrantRefusedError('the token is over, and there is none to refresh it with');
    const as = serverOf(grant);
    const client = clients.known(target, as, grant.clientId);
    if (client === undefined)
      throw new GrantRefusedError(`the client that signed in at ${grant.issuer} is not registered any more`);
    const fetch = fetchFor(target.allowPrivateAddress);
    const tokens = await refresh({ as, client, resource: grant.resource, fetch }, refreshToken);
    const next = refreshed(grant, tokens, now());
    await grants.set(target, holder, next);
    if (grant.problem !== undefined) onChange();
    return next;
  };
  return {
    renew: (target, holder, used) =>
      once(target, holder, async () => {
        const grant = grants.get(target, holder);
        if (grant === undefined) throw new GrantRefusedError('nobody has signed in any more');
        // Somebody else has renewed it since.
        if (grant.accessToken !== used.accessToken && grant.problem === undefined) return grant;
        try {
          return await refreshNow(target, holder, grant);
        } catch (error) {
          if (!(error instanceof GrantRefusedError)) throw error;
          const problem: Grant['problem'] = { kind: 'refresh-failed', message: error.message, scopes: [] };
          await grants.set(target, holder, { ...grant, problem });
          onChange();
          throw error;
        }
      }),
    obtain: (target, holder, challenge) =>
      once(target, holder, async () => {
        const fetch = fetchFor(target.allowPrivateAddress);
        const { as, resource, scopes: needed } = await discover(target, fetch, challenge);
        const client = clients.known(target, as, '') ?? (await clients.obtain(target, as, NOBODY));
        const former = grants.get(target, holder);
        const scopes = [...new Set([...(target.auth.scopes ?? needed ?? []), ...(former?.scopes ?? [])])];
        const parties = { as, client, resource, fetch };
        const tokens = await clientCredentials(parties, scopes).catch((error: unknown) => {
          // Nobody can sign in for a machine: what is wrong is in the configuration, or passes.
          throw error instanceof GrantRefusedError ? new OauthError(error.message, { cause: error }) : error;
        });
        const grant = grantOf(parties, tokens, { id: randomUUID(), scopes, now: now() });
        await grants.set(target, holder, grant);
        return grant;
      }),
  };
}

/** Client credentials are always configured, so that no client is ever described. */
const NOBODY = { redirectUri: '', metadataUrl: undefined };
