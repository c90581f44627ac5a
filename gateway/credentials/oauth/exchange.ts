import {
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  clientCredentialsGrantRequest,
  customFetch,
  processAuthorizationCodeResponse,
  processClientCredentialsResponse,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
  revocationRequest,
  validateAuthResponse,
  type AuthorizationServer,
  type TokenEndpointResponse,
} from 'oauth4webapi';
import { clientAuth, type OauthClient } from './client.ts';
import { GrantRefusedError, OauthError } from './errors.ts';
import type { OauthFetch } from './wire.ts';

/** Who asks whom, for tokens for which resource. */
export interface Parties {
  readonly as: AuthorizationServer;
  readonly client: OauthClient;
  readonly resource: string;
  readonly fetch: OauthFetch;
}

/** What an authorization server gave. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  /** Seconds. */
  readonly expiresIn: number | undefined;
  /** Undefined: as asked for. */
  readonly scopes: readonly string[] | undefined;
}

/** Trades an authorization response for tokens; `state` and `iss` of the response are checked first (RFC 9207). */
export async function redeem(
  parties: Parties,
  response: URLSearchParams,
  {
    state,
    verifier,
    redirectUri,
  }: { readonly state: string; readonly verifier: string; readonly redirectUri: string },
): Promise<Tokens> {
  const { as, client, resource, fetch } = parties;
  const known = { client_id: client.clientId };
  return translated(parties, async () => {
    const checked = validateAuthResponse(as, known, response, state);
    const answer = await authorizationCodeGrantRequest(
      as,
      known,
      clientAuth(client),
      checked,
      redirectUri,
      verifier,
      {
        ...optionsOf(fetch),
        additionalParameters: { resource },
      },
    );
    return tokensOf(await processAuthorizationCodeResponse(as, known, answer));
  });
}

export async function refresh(parties: Parties, refreshToken: string): Promise<Tokens> {
  const { as, client, resource, fetch } = parties;
  const known = { client_id: client.clientId };
  return translated(parties, async () => {
    const answer = await refreshTokenGrantRequest(as, known, clientAuth(client), refreshToken, {
      ...optionsOf(fetch),
      additionalParameters: { resource },
    });
    return tokensOf(await processRefreshTokenResponse(as, known, answer));
  });
}

export async function clientCredentials(parties: Parties, scopes: readonly string[]): Promise<Tokens> {
  const { as, client, resource, fetch } = parties;
  const known = { client_id: client.clientId };
  const parameters = { resource, ...(scopes.length > 0 && { scope: scopes.join(' ') }) };
  return translated(parties, async () => {
    const answer = await clientCredentialsGrantRequest(
      as,
      known,
      clientAuth(client),
      parameters,
      optionsOf(fetch),
    );
    return tokensOf(await processClientCredentialsResponse(as, known, answer));
  });
}

/** Tells the authorization server that a token is not needed any more (RFC 7009). Rejects when it cannot be told. */
export async function revoke({ as, client, fetch }: Omit<Parties, 'resource'>, token: string): Promise<void> {
  const known = { client_id: client.clientId };
  const answer = await revocationRequest(as, known, clientAuth(client), token, optionsOf(fetch));
  if (answer.status !== 200)
    throw new OauthError(`${as.issuer} did not revoke the token (HTTP ${answer.status})`);
}

function optionsOf(fetch: OauthFetch): {
  [allowInsecureRequests]: true;
  [customFetch]: (
    url: string,
    options: { method?: string; headers?: unknown; body?: unknown },
  ) => Promise<Response>;
} {
  return {
    // What may be asked without TLS is decided where it is sent: this machine only.
    [allowInsecureRequests]: true,
    [customFetch]: (url, { method = 'GET', headers, body }) => {
      const text = body instanceof URLSearchParams ? body.toString() : (body as string | null | undefined);
      return fetch(url, { method, headers: headers as Record<string, string>, body: text ?? undefined });
    },
  };
}

function tokensOf(answer: TokenEndpointResponse): Tokens {
  if (answer.token_type.toLowerCase() !== 'bearer')
    throw new OauthError(`it gives tokens of the type ${answer.token_type}, which are not supported`);
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    expiresIn: answer.expires_in,
    scopes: answer.scope?.split(' ').filter(Boolean),
  };
}

/** Errors that say that what was shown is no good, whoever shows it again. */
const REFUSED: ReadonlySet<string> = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'access_denied',
]);

async function translated<T>({ as }: Parties, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OauthError) throw error;
    if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError) {
      const { error: code, error_description: description } = error;
      const words = `${as.issuer} says ${code}${description === undefined ? '' : ` (${description})`}`;
      throw REFUSED.has(code)
        ? new GrantRefusedError(words, { cause: error })
        : new OauthError(words, { cause: error });
    }
    throw new OauthError(`${as.issuer}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
