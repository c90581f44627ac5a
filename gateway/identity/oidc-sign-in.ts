import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import * as z from 'zod';
import { isConfidential } from '../config/address.ts';
import { signInNameOf, type SubjectsConfig } from '../config/subjects.ts';
import type { SignInProblem } from '../contract/sign-in.ts';
import { namesPerson, type ExternalIdentity } from './external.ts';
import { discover, type FetchJson } from './issuer-keys.ts';
import { createOneTime } from './one-time.ts';
import type { Warrant } from './sign-ins.ts';

type IssuerConfig = SubjectsConfig['oidc'][number];

/** A request of OAuth 2.0 and its answer, bounded in time and size; no redirect is followed. */
export type FetchAnswer = (
  url: string,
  request: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string | undefined;
  },
  allowPrivateAddress: boolean,
) => Promise<Response>;

/** A sign-in that failed; `problem` is for the person, the message for the log. */
export class SignInError extends Error {
  readonly problem: SignInProblem;

  constructor(problem: SignInProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** What a sign-in that was begun comes back to. */
export interface Begun {
  /** The page that began it, by its key. */
  readonly pageKey: string;
  /** A path of this gateway. */
  readonly returnTo: string;
  readonly redirectUri: string;
}

/**
 * Signs people in with an OpenID provider: authorization code (OpenID Connect Core 1.0, section 3.1) with PKCE S256,
 * state, nonce and `iss` (RFC 9207). What is begun lives in memory for ten minutes and is used once, by the browser that
 * began it. An issuer is called by the name of its console client.
 */
export interface OidcSignIn {
  names(): string[];
  /** The provider's address for the browser, and what the browser is known by when it is back. Undefined: no such name. */
  start(name: string, begun: Begun): Promise<{ location: string; browser: string } | undefined>;
  /** Rejects with a `SignInError`. */
  finish(
    name: string,
    answer: URLSearchParams,
    browser: string | undefined,
  ): Promise<Begun & { warrant: Warrant }>;
}

interface Pending extends Begun {
  readonly name: string;
  /** The hash of what the browser was given. */
  readonly browser: Buffer;
  readonly verifier: string;
  readonly nonce: string;
}

const MAX_BEGUN = 5_000;
export const BEGUN_MS = 10 * 60_000;
/** A provider is not asked anew for each of many that begin at once. */
const FRESH_MS = 60_000;

const endpointSchema = z.url({ protocol: /^https?$/ });
const providerSchema = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: endpointSchema,
  token_endpoint: endpointSchema,
  userinfo_endpoint: endpointSchema.optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  id_token_signing_alg_values_supported: z.array(z.string()).optional(),
});
/** As the provider's own metadata has it, in the part that is used here. */
type Provider = oauth.AuthorizationServer & z.infer<typeof providerSchema>;

export function createOidcSignIn(deps: {
  readonly issuers: () => readonly IssuerConfig[];
  readonly external: Pick<ExternalIdentity, 'signIn'>;
  readonly fetchJson: FetchJson;
  readonly fetchAnswer: FetchAnswer;
  /** Gives a reference's value. */
  readonly resolve: (text: string) => string;
  readonly now: () => number;
}): OidcSignIn {
  const { now } = deps;
  const pending = createOneTime<Pending>(MAX_BEGUN, BEGUN_MS, now);
  const provider = createProviders(deps.fetchJson, now);
  const named = (name: string): IssuerConfig | undefined =>
    deps.issuers().find((issuer) => signInNameOf(issuer) === name);

  return {
    names: () => deps.issuers().flatMap((issuer) => signInNameOf(issuer) ?? []),
    start: async (name, begun) => {
      const issuer = named(name);
      if (issuer?.console === undefined) return undefined;
      const { authorization_endpoint: endpoint } = await provider(issuer).catch((error: unknown) => {
        throw new SignInError('issuer', (error as Error).message, { cause: error });
      });
      const [browser, verifier, nonce] = [random(), oauth.generateRandomCodeVerifier(), random()];
      const { code: state } = pending.put({ ...begun, name, browser: hashOf(browser), verifier, nonce });
      const { clientId, scopes } = issuer.console;
      const location = new URL(endpoint);
      const parameters = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: begun.redirectUri,
        scope: [...new Set(['openid', ...scopes])].join(' '),
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      };
      for (const [key, value] of Object.entries(parameters)) location.searchParams.set(key, value);
      return { location: location.href, browser };
    },
    finish: async (name, answer, browser) => {
      const state = answer.get('state') ?? '';
      const begun = pending.take(state);
      if (begun?.name !== name) throw new SignInError('state', 'no such sign-in was begun, or not with it');
      if (browser === undefined || !timingSafeEqual(hashOf(browser), begun.browser))
        throw new SignInError('state', 'another browser began this sign-in');
      const issuer = named(name);
      if (issuer?.console === undefined) throw new SignInError('state', `${name} is not configured any more`);
      const server = await provider(issuer).catch((error: unknown) => {
        throw new SignInError('issuer', (error as Error).message, { cause: error });
      });
      const told = await exchange(deps, issuer, server, answer, state, begun).catch((error: unknown) => {
        const refused = error instanceof oauth.AuthorizationResponseError;
        throw new SignInError(refused ? 'refused' : 'issuer', wordsOf(error), { cause: error });
      });
      const expected = { issuer: issuer.issuer, clientId: issuer.console.clientId, nonce: begun.nonce };
      const warrant = await deps.external
        .signIn(told.idToken, { ...expected, userInfo: told.userInfo })
        .catch((error: unknown) => {
          throw new SignInError('person', (error as Error).message, { cause: error });
        });
      const { pageKey, returnTo, redirectUri } = begun;
      return { pageKey, returnTo, redirectUri, warrant };
    },
  };
}

/** The code for tokens, and what the ID token leaves out from the UserInfo endpoint. */
async function exchange(
  { fetchAnswer, resolve }: { readonly fetchAnswer: FetchAnswer; readonly resolve: (text: string) => string },
  issuer: IssuerConfig,
  server: Provider,
  answer: URLSearchParams,
  state: string,
  { redirectUri, verifier, nonce }: Pending,
): Promise<{ idToken: string; userInfo: Readonly<Record<string, unknown>> }> {
  const { clientId = '', clientSecret } = issuer.console ?? {};
  const client = { client_id: clientId };
  const options = {
    // Deprecated so that it stands out: only an issuer on this machine is without TLS.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    [oauth.allowInsecureRequests]: issuer.issuer.startsWith('http:'),
    [oauth.customFetch]: (
      url: string,
      { method, headers, body }: oauth.CustomFetchOptions<string, URLSearchParams | undefined>,
    ): Promise<Response> =>
      fetchAnswer(url, { method, headers, body: body?.toString() }, issuer.allowPrivateAddress),
  };
  const parameters = oauth.validateAuthResponse(server, client, answer, state);
  const authentication = authenticationOf(
    server,
    clientSecret === undefined ? undefined : resolve(clientSecret),
  );
  const tokens = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      parameters,
      redirectUri,
      verifier,
      options,
    ),
    { expectedNonce: nonce, requireIdToken: true },
  );
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  if (claims === undefined || tokens.id_token === undefined) throw new Error('there is no ID token');
  if (namesPerson(claims, issuer) || server.userinfo_endpoint === undefined)
    return { idToken: tokens.id_token, userInfo: {} };
  const response = await oauth.userInfoRequest(server, client, tokens.access_token, options);
  return {
    idToken: tokens.id_token,
    userInfo: await oauth.processUserInfoResponse(server, client, claims.sub, response),
  };
}

/** A provider is not asked anew for each of many sign-ins that begin at once. */
function createProviders(
  fetchJson: FetchJson,
  now: () => number,
): (issuer: IssuerConfig) => Promise<Provider> {
  const known = new Map<string, { readonly at: number; readonly found: Promise<Provider> }>();
  return ({ issuer, allowPrivateAddress }) => {
    const before = known.get(issuer);
    if (before !== undefined && now() - before.at < FRESH_MS) return before.found;
    const found = discover(issuer, (url) => fetchJson(url, allowPrivateAddress)).then((metadata) => {
      const provider = providerSchema.parse(metadata) as Provider;
      const { authorization_endpoint, token_endpoint, userinfo_endpoint = token_endpoint } = provider;
      const open = [authorization_endpoint, token_endpoint, userinfo_endpoint].find(
        (url) => !isConfidential(url),
      );
      if (open !== undefined) throw new Error(`${issuer} uses ${open}, where others could read along`);
      return provider;
    });
    known.set(issuer, { at: now(), found });
    found.catch(() => known.delete(issuer));
    return found;
  };
}

function authenticationOf(
  { token_endpoint_auth_methods_supported: methods }: Provider,
  secret: string | undefined,
): oauth.ClientAuth {
  if (secret === undefined) return oauth.None();
  return methods === undefined || methods.includes('client_secret_basic')
    ? oauth.ClientSecretBasic(secret)
    : oauth.ClientSecretPost(secret);
}

/** An error's own words; what it was made of may hold codes and tokens. */
function wordsOf(error: unknown): string {
  if (error instanceof oauth.AuthorizationResponseError) return `the issuer answered ${error.error}`;
  if (error instanceof oauth.ResponseBodyError) return `the token endpoint answered ${error.error}`;
  return (error as Error).message;
}

function random(): string {
  return randomBytes(32).toString('base64url');
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
