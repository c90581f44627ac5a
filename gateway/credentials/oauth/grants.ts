import * as z from 'zod';
import type { AuthorizationServer } from 'oauth4webapi';
import type { SecretVault } from '../vault.ts';
import type { Parties, Tokens } from './exchange.ts';
import type { Holder, OauthTarget } from './target.ts';

const grantSchema = z.object({
  /** Made at each consent; refreshing keeps it. */
  id: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  tokenEndpoint: z.string(),
  revocationEndpoint: z.string().optional(),
  authMethods: z.array(z.string()).optional(),
  resource: z.string(),
  accessToken: z.string(),
  refreshToken: z.string().optional(),
  /** Milliseconds since the epoch; left out where the server did not say. */
  expiresAt: z.number().optional(),
  obtainedAt: z.number(),
  /** When somebody signed in; milliseconds since the epoch. */
  signedInAt: z.number(),
  scopes: z.array(z.string()),
  /** The scopes that were asked for, granted or not. */
  asked: z.array(z.string()),
  /** Why somebody has to sign in again. */
  problem: z
    .object({
      /** `scopes`: the token is good, and not for everything that was tried. */
      kind: z.enum(['refused', 'refresh-failed', 'scopes']),
      message: z.string(),
      /** What is missing. */
      scopes: z.array(z.string()).default([]),
    })
    .optional(),
});
/** What an authorization server granted, for one registration, to one holder. */
export type Grant = Readonly<z.infer<typeof grantSchema>>;

/** The grants there are. Reading costs nothing. */
export interface Grants {
  get(target: OauthTarget, holder: Holder): Grant | undefined;
  set(target: OauthTarget, holder: Holder, grant: Grant): Promise<void>;
  /** False when there was none. */
  delete(target: OauthTarget, holder: Holder): Promise<boolean>;
  /** Whoever has one, sorted. */
  holders(target: OauthTarget): Holder[];
}

/** `onSecret` is told each token that is read. */
export function createGrants(vault: SecretVault, onSecret: (value: string) => void): Grants {
  const read = new Map<string, { readonly text: string; readonly grant: Grant | undefined }>();
  return {
    get: (target, holder) => {
      const name = nameOf(target, holder);
      const text = vault.get(name);
      if (text === undefined) {
        read.delete(name);
        return undefined;
      }
      const known = read.get(name);
      if (known?.text === text) return known.grant;
      const grant = grantSchema.safeParse(JSON.parse(text)).data;
      if (grant !== undefined) {
        onSecret(grant.accessToken);
        if (grant.refreshToken !== undefined) onSecret(grant.refreshToken);
      }
      read.set(name, { text, grant });
      return grant;
    },
    set: (target, holder, grant) => vault.set(nameOf(target, holder), JSON.stringify(grant)),
    delete: (target, holder) => vault.delete(nameOf(target, holder)),
    holders: (target) => {
      const prefix = prefixOf(target);
      return vault
        .list()
        .flatMap(({ name }) =>
          name.startsWith(prefix) ? [decodeURIComponent(name.slice(prefix.length))] : [],
        )
        .sort();
    },
  };
}

function prefixOf({ id, fingerprint }: OauthTarget): string {
  return `oauth/${id}/${fingerprint}/grant/`;
}

function nameOf(target: OauthTarget, holder: Holder): string {
  return prefixOf(target) + encodeURIComponent(holder);
}

/** A grant from tokens that came anew; `scopes` are what was asked for. */
export function grantOf(
  { as, client, resource }: Pick<Parties, 'as' | 'client' | 'resource'>,
  tokens: Tokens,
  { id, scopes, now }: { readonly id: string; readonly scopes: readonly string[]; readonly now: number },
): Grant {
  return {
    id,
    issuer: as.issuer,
    clientId: client.clientId,
    tokenEndpoint: as.token_endpoint ?? '',
    ...(as.revocation_endpoint !== undefined && { revocationEndpoint: as.revocation_endpoint }),
    ...(as.token_endpoint_auth_methods_supported && {
      authMethods: as.token_endpoint_auth_methods_supported,
    }),
    resource,
    scopes: [...(tokens.scopes ?? scopes)],
    asked: [...scopes],
    signedInAt: now,
    ...fresh(tokens, now),
    ...(tokens.refreshToken !== undefined && { refreshToken: tokens.refreshToken }),
  };
}

/** The same grant with refreshed tokens: where no new refresh token came, the one before stays good. */
export function refreshed(grant: Grant, tokens: Tokens, now: number): Grant {
  const { problem: _over, expiresAt: _former, ...rest } = grant;
  const { refreshToken = grant.refreshToken, scopes = grant.scopes } = tokens;
  return {
    ...rest,
    ...fresh(tokens, now),
    scopes: [...scopes],
    ...(refreshToken !== undefined && { refreshToken }),
  };
}

function fresh(
  { accessToken, expiresIn }: Tokens,
  now: number,
): Pick<Grant, 'accessToken' | 'expiresAt' | 'obtainedAt'> {
  return {
    accessToken,
    obtainedAt: now,
    ...(expiresIn !== undefined && { expiresAt: now + expiresIn * 1000 }),
  };
}

/** The authorization server that gave a grant, as far as it is needed to renew or to revoke it. */
export function serverOf(grant: Grant): AuthorizationServer {
  return {
    issuer: grant.issuer,
    token_endpoint: grant.tokenEndpoint,
    ...(grant.revocationEndpoint !== undefined && { revocation_endpoint: grant.revocationEndpoint }),
    ...(grant.authMethods && { token_endpoint_auth_methods_supported: grant.authMethods }),
  };
}
