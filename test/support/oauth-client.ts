import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';

type ForBothClients = OAuthClientProvider & {
  /** Where the provider was asked to let the person sign in. */
  readonly asked: readonly URL[];
  /** What it holds now. */
  readonly held: OAuthTokens | undefined;
};

/** What an MCP client keeps of its sign-ins, of either SDK; it registers itself with whatever provider it is told. */
export function oauthClient(tokens?: OAuthTokens): ForBothClients {
  const asked: URL[] = [];
  let held = tokens;
  let registered: OAuthClientInformationMixed | undefined;
  let verifier = '';
  const redirectUrl = 'http://127.0.0.1:1/callback';
  return {
    asked,
    get held() {
      return held;
    },
    redirectUrl,
    clientMetadata: {
      client_name: 'test',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => registered,
    saveClientInformation: (information) => void (registered = information),
    tokens: () => held,
    saveTokens: (given) => void (held = given),
    redirectToAuthorization: (url) => void asked.push(url),
    saveCodeVerifier: (text) => void (verifier = text),
    codeVerifier: () => verifier,
  };
}
