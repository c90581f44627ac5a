import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod';

/** Fetches a JSON document. Rejects with words for a person when it cannot be had. */
export type FetchJson = (url: string, allowPrivateAddress: boolean) => Promise<unknown>;

export interface Issuer {
  readonly issuer: string;
  readonly allowPrivateAddress: boolean;
}

const endpointSchema = z.url({ protocol: /^https?$/ });
const metadataSchema = z.looseObject({ issuer: z.string(), jwks_uri: endpointSchema });
export type IssuerMetadata = z.infer<typeof metadataSchema>;
const keysSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(200) });

/** A key that is not known may be new: the keys are read again for it, but not more often than this. */
const COOLDOWN_MS = 30_000;
/** Keys are read again when they are older; until then one that was withdrawn counts. */
const FRESH_MS = 10 * 60_000;

/**
 * The keys that an issuer signs with, found by OpenID Connect Discovery 1.0 or RFC 8414, read when they are first needed
 * and again when a token names one that is not among them. While the issuer is away, those that are known stay in use.
 */
export function createIssuerKeys(
  { issuer, allowPrivateAddress }: Issuer,
  fetchJson: FetchJson,
  now: () => number,
): JWTVerifyGetKey {
  let known: ReturnType<typeof createLocalJWKSet> | undefined;
  let readAt = -Infinity;
  let reading: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    readAt = now();
    const { jwks_uri: address } = await discover(issuer, (url) => fetchJson(url, allowPrivateAddress));
    const keys = keysSchema.parse(await fetchJson(address, allowPrivateAddress));
    known = createLocalJWKSet(keys);
  };
  const readOnce = (): Promise<void> => (reading ??= read().finally(() => (reading = undefined)));

  return async (header, token) => {
    if (known === undefined) await readOnce();
    // Those who wait for nothing do not wait for a reading either.
    else if (now() - readAt > FRESH_MS) readOnce().catch(() => undefined);
    if (known === undefined) throw new Error(`the keys of ${issuer} are not known`);
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || now() - readAt < COOLDOWN_MS) throw error;
      await readOnce();
      return await known(header, token);
    }
  };
}

/**
 * What an issuer says of itself, by OpenID Connect Discovery 1.0 or RFC 8414. Rejects when it says nothing, or speaks
 * for another.
 */
export async function discover(
  issuer: string,
  fetchJson: (url: string) => Promise<unknown>,
): Promise<IssuerMetadata> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
  let failure: unknown;
  for (const place of places) {
    try {
      const metadata = metadataSchema.parse(await fetchJson(place));
      // OpenID Connect Discovery 1.0, section 4.3: or somebody else could speak for the issuer.
      if (metadata.issuer === issuer) return metadata;
      failure = new Error(`${place} speaks for ${metadata.issuer}, not for ${issuer}`);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
