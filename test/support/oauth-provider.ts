import { exportJWK, generateKeyPair } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

export interface OauthProvider {
  readonly issuer: string;
  /** How often each grant type was asked for at the token endpoint. */
  readonly grants: string[];
  /** The clients that have registered themselves, as they described themselves. */
  readonly registered: Record<string, unknown>[];
  /** The addresses that browsers were sent to, whole. */
  readonly authorizations: URL[];
  /** How many tokens were revoked. */
  revoked(): number;
  /** Refuses every token from now on, as if all sign-ins were taken back, until it is called again. */
  forget(forgetful: boolean): void;
  /** Answers nothing until it is called again. */
  pause(away: boolean): void;
  close(): Promise<void>;
}

/** The client that is registered beforehand. */
export const KNOWN_CLIENT = { client_id: 'known', client_secret: 'a-secret-canary-of-the-known-client' };

/**
 * A real authorization server on loopback, where anybody signs in by any name. Its clients register themselves;
 * refresh tokens rotate, and one that is used twice ends the whole sign-in. `ttl` of access tokens in seconds.
 */
export async function startOauthProvider(
  options: {
    readonly ttl?: number;
    readonly registration?: boolean;
    /** Reads clients' own metadata by this; without it their addresses are no client ids. */
    readonly fetch?: typeof fetch;
  } = {},
): Promise<OauthProvider> {
  const { ttl = 300, registration = true } = options;
  const seen = {
    grants: [] as string[],
    registered: [] as Record<string, unknown>[],
    authorizations: [] as URL[],
  };
  let [revoked, away, forgetful] = [0, false, false];
  const http = createServer((req, res) => {
    const url = new URL(req.url ?? '/', issuer);
    if (url.pathname === '/auth') seen.authorizations.push(url);
    if (url.pathname === '/token/revocation') revoked++;
    if (away) res.writeHead(503).end();
    else void handle(req, res);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'the-key', alg: 'RS256', use: 'sig' };
  const provider = new Provider(issuer, configuration(ttl, registration, jwk, options.fetch));
  provider.use(async (context, next) => {
    await next();
    const { oidc } = context as {
      oidc?: { route?: string; params?: Record<string, unknown>; body?: Record<string, unknown> };
    };
    if (oidc?.route === 'token') seen.grants.push(String(oidc.params?.['grant_type']));
    if (oidc?.route === 'registration') seen.registered.push({ ...oidc.body });
  });
  provider.use(async (context, next) => {
    if (forgetful && context.path === '/token') {
      context.status = 400;
      context.body = { error: 'invalid_grant', error_description: 'the sign-in was taken back' };
      seen.grants.push('refused');
      return;
    }
    await next();
  });
  const handle = provider.callback();
  return {
    issuer,
    ...seen,
    revoked: () => revoked,
    forget: (next) => void (forgetful = next),
    pause: (next) => void (away = next),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

const SCOPES = 'mcp:read mcp:write';

function configuration(
  ttl: number,
  registration: boolean,
  key: object,
  fetchMetadata: typeof fetch | undefined,
): Configuration {
  return {
    jwks: { keys: [key] },
    clients: [
      {
        ...KNOWN_CLIENT,
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        redirect_uris: ['http://127.0.0.1/oauth/callback'],
        response_types: ['code'],
        application_type: 'native',
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    scopes: ['openid', 'offline_access'],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ...(fetchMetadata && { fetch: fetchMetadata }),
    clientBasedCORS: () => false,
    features: {
      clientCredentials: { enabled: true },
      registration: { enabled: registration },
      revocation: { enabled: true },
      devInteractions: { enabled: true },
      ...(fetchMetadata && { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } }),
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, audience) => ({
          scope: SCOPES,
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: ttl,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}
