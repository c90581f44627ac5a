import type { Decide } from '../access/decide.ts';
import type { Principal } from '../identity/principal.ts';
import type { ConsentRequest } from '../pipeline/call.ts';
import type { ServerEntry } from '../registry/entry.ts';
import type { Oauth } from './oauth/oauth.ts';
import { EVERYONE, holderOf, oauthTarget } from './oauth/target.ts';

/** Where somebody is sent who has to sign in at a server's authorization server. */
export interface ConsentDesk {
  /**
   * The sign-in for what a principal may sign in to: their own token, or everybody's where they manage the group.
   * Undefined where they may not, and for a server that wants none. `returnTo` is where the last page leads back to. Throws an `OauthError` when too many are under way.
   */
  request(principal: Principal, entry: ServerEntry, returnTo?: string): ConsentRequest | undefined;
}

export function createConsentDesk({
  oauth,
  decide,
  addressOf,
}: {
  readonly oauth: Oauth;
  readonly decide: Decide;
  /** Where the consent of this id is given. */
  readonly addressOf: (id: string) => string;
}): ConsentDesk {
  return {
    request: (principal, { pinned, config, fqn, group }, returnTo) => {
      const target = oauthTarget(pinned, config);
      if (target === undefined || target.auth.grant === 'client-credentials') return undefined;
      const holder = holderOf(target, principal.subject);
      const manages = (): boolean => decide(principal, { action: 'manage', group }).effect === 'allow';
      if (holder === EVERYONE && !manages()) return undefined;
      const consent = oauth.consents.begin(target, holder, principal.subject, returnTo);
      return {
        id: consent.id,
        server: fqn,
        url: addressOf(consent.id),
        expiresAt: consent.expiresAt,
        given: (signal) => oauth.consents.given(consent, signal),
      };
    },
  };
}
