import { ClientSecretPost, None, type AuthorizationServer, type ClientAuth } from 'oauth4webapi';
import * as z from 'zod';
import type { SecretVault } from '../vault.ts';
import { OauthError } from './errors.ts';
import type { OauthTarget } from './target.ts';
import type { OauthFetch } from './wire.ts';

/** The gateway as an authorization server knows it. */
export interface OauthClient {
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'none';
}

/** How the gateway is known to those it does not know yet. */
export interface ClientDescription {
  /** Where authorization servers send the browser back to. */
  readonly redirectUri: string;
  /** Where the gateway's own metadata can be read by everybody (Client ID Metadata Document); none on loopback. */
  readonly metadataUrl: string | undefined;
}

const registeredSchema = z.object({
  issuer: z.string(),
  redirectUri: z.string(),
  clientId: z.string(),
  clientSecret: z.string().optional(),
  method: z.enum(['client_secret_basic', 'client_secret_post', 'none']),
  /** Seconds since the epoch; 0: never. */
  expiresAt: z.number(),
});
type Registered = z.infer<typeof registeredSchema>;

const METHODS = ['client_secret_basic', 'client_secret_post'] as const;

/** The gateway's metadata as a client (RFC 7591; OAuth Client ID Metadata Document). */
export function clientMetadata({
  redirectUri,
}: Pick<ClientDescription, 'redirectUri'>): Record<string, unknown> {
  return {
    client_name: 'Toolgate',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    // A loopback address is that of a program of the user's own (OpenID Connect Dynamic Client Registration).
    application_type: new URL(redirectUri).protocol === 'http:' ? 'native' : 'web',
  };
}

export interface Clients {
  /**
   * The client to be at an authorization server: one that is configured, else the address of the gateway's own metadata where the
   * server reads those, else one that is registered now (MCP 2026-07-28, Client Registration Approaches). A
   * registration is for one issuer and is never shown to another. Rejects with an `OauthError`.
   */
  obtain(target: OauthTarget, as: AuthorizationServer, description: ClientDescription): Promise<OauthClient>;
  /** The one that tokens of this issuer were given to; undefined when it is not known any more. */
  known(target: OauthTarget, as: AuthorizationServer, clientId: string): OauthClient | undefined;
  /** Forgets a registration that the authorization server does not know any more. */
  forget(target: OauthTarget): Promise<void>;
}

export function createClients({
  vault,
  fetchFor,
  resolve,
  onSecret,
  now,
}: {
  readonly vault: SecretVault;
  readonly fetchFor: (allowPrivateAddress: boolean) => OauthFetch;
  readonly resolve: (text: string) => string;
  /** Told each secret that is used. */
  readonly onSecret: (value: string) => void;
  readonly now: () => number;
}): Clients {
  const registered = (target: OauthTarget): Registered | undefined => {
    const text = vault.get(nameOf(target));
    const kept = text === undefined ? undefined : registeredSchema.safeParse(JSON.parse(text)).data;
    const expired = kept !== undefined && kept.expiresAt !== 0 && kept.expiresAt * 1000 <= now();
    if (kept === undefined || expired) return undefined;
    if (kept.clientSecret !== undefined) onSecret(kept.clientSecret);
    return kept;
  };
  const given = (text: string): string => {
    try {
      return resolve(text);
    } catch (error) {
      throw new OauthError((error as Error).message, { cause: error });
    }
  };
  const configured = ({ auth }: OauthTarget, as: AuthorizationServer): OauthClient | undefined => {
    if (auth.clientId === undefined) return undefined;
    const clientSecret = auth.clientSecret === undefined ? undefined : given(auth.clientSecret);
    const method = clientSecret === undefined ? 'none' : (auth.clientAuthentication ?? offered(as));
    return { clientId: given(auth.clientId), clientSecret, method };
  };
  return {
    obtain: async (target, as, description) => {
      const known = configured(target, as);
      if (known !== undefined) return known;
      const { metadataUrl, redirectUri } = description;
      if (metadataUrl !== undefined && as['client_id_metadata_document_supported'] === true)
        return { clientId: metadataUrl, clientSecret: undefined, method: 'none' };
      const kept = registered(target);
      if (kept?.issuer === as.issuer && kept.redirectUri === redirectUri) return clientOf(kept);
      const fresh = await register(as, description, fetchFor(target.allowPrivateAddress));
      await vault.set(nameOf(target), JSON.stringify(fresh));
      if (fresh.clientSecret !== undefined) onSecret(fresh.clientSecret);
      return clientOf(fresh);
    },
    known: (target, as, clientId) => {
      const own = configured(target, as);
      if (own !== undefined) return own.clientId === clientId ? own : undefined;
      const kept = registered(target);
      if (kept?.issuer === as.issuer && kept.clientId === clientId) return clientOf(kept);
      return clientId.startsWith('https://')
        ? { clientId, clientSecret: undefined, method: 'none' }
        : undefined;
    },
    forget: async (target) => {
      await vault.delete(nameOf(target));
    },
  };
}

/** How a client shows who it is at the token endpoint. */
export function clientAuth({ clientSecret, method }: OauthClient): ClientAuth {
  if (clientSecret === undefined || method === 'none') return None();
  return method === 'client_secret_post' ? ClientSecretPost(clientSecret) : basic(clientSecret);
}

/** HTTP Basic (RFC 6749, section 2.3.1), encoded no more than forms are: many servers do not decode what comes. */
function basic(clientSecret: string): ClientAuth {
  const encoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
  return (_as, { client_id: id }, _body, headers) => {
    const pair = Buffer.from(`${encoded(id)}:${encoded(clientSecret)}`).toString('base64');
    headers.set('authorization', `Basic ${pair}`);
  };
}

function clientOf({ clientId, clientSecret, method }: Registered): OauthClient {
  return { clientId, clientSecret, method };
}

/** A slash is in no name that `${secret:NAME}` could reach. */
function nameOf({ id, fingerprint }: OauthTarget): string {
  return `oauth/${id}/${fingerprint}/client`;
}

/** What a server that says nothing takes is `client_secret_basic` (RFC 8414, section 2). */
function offered({
  token_endpoint_auth_methods_supported: methods,
}: AuthorizationServer): (typeof METHODS)[number] {
  return METHODS.find((method) => methods?.includes(method) ?? true) ?? 'client_secret_basic';
}

const answerSchema = z.looseObject({
  client_id: z.string().min(1),
  client_secret: z.string().optional(),
  client_secret_expires_at: z.number().default(0),
  token_endpoint_auth_method: z.string().optional(),
});

/** Dynamic client registration (RFC 7591). */
async function register(
  as: AuthorizationServer,
  description: ClientDescription,
  fetch: OauthFetch,
): Promise<Registered> {
  if (as.registration_endpoint === undefined)
    throw new OauthError(
      `${as.issuer} registers no clients by itself: register Toolgate there (redirect address ${description.redirectUri}) and set auth.clientId, and auth.clientSecret with auth.issuer where it gives one`,
    );
  const supported = as.token_endpoint_auth_methods_supported;
  const wanted = supported === undefined || supported.includes('none') ? 'none' : offered(as);
  const response = await fetch(as.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ ...clientMetadata(description), token_endpoint_auth_method: wanted }),
  });
  const answer = answerSchema.safeParse(await response.json().catch(() => undefined));
  if ((response.status !== 201 && response.status !== 200) || !answer.success)
    throw new OauthError(
      `${as.issuer} refuses to register a client (HTTP ${response.status}); set auth.clientId`,
    );
  const { client_id: clientId, client_secret: secret, token_endpoint_auth_method: said } = answer.data;
  const method =
    METHODS.find((one) => one === said) ?? (said === 'none' || secret === undefined ? 'none' : offered(as));
  return {
    issuer: as.issuer,
    redirectUri: description.redirectUri,
    clientId,
    ...(secret !== undefined && { clientSecret: secret }),
    method,
    expiresAt: answer.data.client_secret_expires_at,
  };
}
