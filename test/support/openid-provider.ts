import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type ClientMetadata } from 'oidc-provider';

/** Whom a token is for, what it says of its bearer, and for how long it is good. */
export interface TokenWish {
  readonly client: string;
  readonly audience: string;
}

export interface OpenIdProvider {
  readonly issuer: string;
  /** An access token, a JWT, by the client credentials grant. */
  token(wish: TokenWish): Promise<string>;
  /** How often its keys were read. */
  reads(): number;
  /** Answers nothing until it is called again. */
  pause(away: boolean): void;
  close(): Promise<void>;
}

/** What the tokens of a client say beside the standard claims. */
export type Claims = Readonly<Record<string, Record<string, unknown>>>;

const SECRET = 'a-secret-of-the-tests-which-is-long-enough';

/** A real OpenID provider on loopback. `claims` are by client; `ttl` in seconds. */
export async function startOpenIdProvider(claims: Claims, ttl = 300): Promise<OpenIdProvider> {
  let reads = 0;
  let away = false;
  const http = createServer((req, res) => {
    if (away) {
      res.writeHead(503).end();
      return;
    }
    if (req.url?.startsWith('/jwks') === true) reads++;
    void handle(req, res);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const handle = providerOf(issuer, claims, ttl, await newKey()).callback();
  return {
    issuer,
    token: (wish) => fetchToken(issuer, wish),
    reads: () => reads,
    pause: (next) => void (away = next),
    close: () => closed(http),
  };
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: 'the-key', alg: 'RS256', use: 'sig' };
}

function providerOf(issuer: string, claims: Claims, ttl: number, key: JWK): Provider {
  const clients: ClientMetadata[] = Object.keys(claims).map((id) => ({
    client_id: id,
    client_secret: SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  }));
  return new Provider(issuer, {
    clients,
    jwks: { keys: [key] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, audience) => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: ttl,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => ({ ...claims[token.clientId ?? ''] }),
  });
}

async function fetchToken(issuer: string, { client, audience }: TokenWish): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

function closed(http: Server): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => {
      resolve();
    });
    http.closeAllConnections();
  });
}
