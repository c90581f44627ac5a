import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type ClientMetadata } from 'oidc-provider';

/** Whom a token is for, what it says of its bearer, and for how long it is good. */
export interface TokenWish {
  readonly client: string;
  readonly audience: string;
  readonly scope?: string;
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

/** What people may do there, beside programs. */
export interface ForPeople {
  /** Clients that sign people in. Others may register themselves. */
  readonly clients: readonly ClientMetadata[];
  /** Scopes of access tokens. */
  readonly scopes?: readonly string[];
  /** Puts all claims into the ID token, where most providers have them; the UserInfo endpoint alone otherwise. */
  readonly claimsInIdToken?: boolean;
}

/** What the tokens of a client, or of a person of that name, say beside the standard claims. */
export type Claims = Readonly<Record<string, Record<string, unknown>>>;

const SECRET = 'a-secret-of-the-tests-which-is-long-enough';

/**
 * A real OpenID provider on loopback. `claims` are by client or person; `ttl` in seconds. People sign in with any
 * password.
 */
export async function startOpenIdProvider(
  claims: Claims,
  ttl = 300,
  people?: ForPeople,
): Promise<OpenIdProvider> {
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
  const handle = providerOf(issuer, claims, ttl, await newKey(), people).callback();
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

function providerOf(
  issuer: string,
  claims: Claims,
  ttl: number,
  key: JWK,
  people: ForPeople | undefined,
): Provider {
  const programs: ClientMetadata[] = Object.keys(claims).map((id) => ({
    client_id: id,
    client_secret: SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  }));
  return new Provider(issuer, {
    clients: [...programs, ...(people?.clients ?? [])],
    jwks: { keys: [key] },
    claims: { email: ['email', 'email_verified'], profile: ['name', 'realm'] },
    scopes: ['openid', 'profile', 'email', ...(people?.scopes ?? [])],
    conformIdTokenClaims: people?.claimsInIdToken !== true,
    pkce: { required: () => true },
    findAccount: (_context, id) =>
      claims[id] && { accountId: id, claims: () => Promise.resolve({ ...claims[id], sub: id }) },
    cookies: { keys: ['of the tests'] },
    features: {
      clientCredentials: { enabled: true },
      registration: { enabled: people !== undefined },
      devInteractions: { enabled: people !== undefined },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, audience) => ({
          scope: people?.scopes?.join(' ') ?? '',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: ttl,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => ({
      ...claims['accountId' in token ? token.accountId : (token.clientId ?? '')],
    }),
  });
}

/**
 * Goes through a provider's pages as a person in a browser does: signs in, agrees to what is asked, and ends where the
 * provider sends the browser to, which is not asked.
 */
export async function throughProvider(location: string, person: string): Promise<URL> {
  const cookies = new Map<string, string>();
  const { origin } = new URL(location);
  let url = new URL(location);
  let form: URLSearchParams | undefined;
  for (let steps = 0; steps < 20; steps++) {
    if (url.origin !== origin) return url;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form !== undefined && { method: 'POST', body: form }),
    });
    for (const text of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      cookies.set(name, value);
    }
    const next = response.headers.get('location');
    const page = await response.text();
    form = undefined;
    if (next !== null) url = new URL(next, url);
    else {
      const [, action] = /<form[^>]* action="([^"]+)"/.exec(page) ?? [];
      const [, prompt = ''] = /name="prompt" value="(\w+)"/.exec(page) ?? [];
      if (action === undefined) throw new Error(`${url.href}: ${page.slice(0, 500)}`);
      url = new URL(action.replaceAll('&amp;', '&'), url);
      form = new URLSearchParams({ prompt, login: person, password: 'any' });
    }
  }
  throw new Error(`the provider does not come to an end: ${url.href}`);
}

async function fetchToken(issuer: string, { client, audience, scope = '' }: TokenWish): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope }),
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
