import { signsInEach, type OauthConfig } from '../../config/oauth.ts';
import type { ServerConfig } from '../../config/schema.ts';

/** A server that wants tokens. Tokens are for this registration: none goes to another of the same name. */
export interface OauthTarget {
  /** `group:server`. */
  readonly id: string;
  readonly fingerprint: string;
  /** The protected resource: where the server listens. */
  readonly url: string;
  readonly auth: OauthConfig;
  /** Whether it, and the authorization server it names, may be at a private address. */
  readonly allowPrivateAddress: boolean;
}

/** Whose token it is: a person's subject, or everybody's. */
export type Holder = string;
export const EVERYONE: Holder = 'everyone';

/** Undefined for a server that wants none. */
export function oauthTarget(
  { id, fingerprint }: Pick<OauthTarget, 'id' | 'fingerprint'>,
  { auth, url, baseUrl, allowPrivateAddress }: ServerConfig,
): OauthTarget | undefined {
  const address = url ?? baseUrl;
  if (auth.type !== 'oauth2' || address === undefined) return undefined;
  return { id, fingerprint, url: address, auth, allowPrivateAddress };
}

export function holderOf({ auth }: Pick<OauthTarget, 'auth'>, subject: string): Holder {
  return signsInEach(auth) ? subject : EVERYONE;
}
