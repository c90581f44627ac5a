import type { AuthorizationServer } from 'oauth4webapi';
import * as z from 'zod';
import { isConfidential } from '../../config/address.ts';
import { challengeIn, type Challenge } from '../../upstream/authorized.ts';
import { OauthError } from './errors.ts';
import type { OauthTarget } from './target.ts';
import { getJson, type OauthFetch } from './wire.ts';

/** Where tokens for a server come from. */
export interface Discovered {
  /** What a token is asked for (RFC 8707), as the server itself spells it. */
  readonly resource: string;
  /** What the server says it needs; undefined when it says nothing. */
  readonly scopes: readonly string[] | undefined;
  readonly as: AuthorizationServer;
}

const resourceSchema = z.looseObject({
  resource: z.string(),
  authorization_servers: z.array(z.string()).optional(),
  scopes_supported: z.array(z.string()).optional(),
});

const serverSchema = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: z.string().optional(),
  token_endpoint: z.string(),
  registration_endpoint: z.string().optional(),
  revocation_endpoint: z.string().optional(),
  scopes_supported: z.array(z.string()).optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  code_challenge_methods_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  client_id_metadata_document_supported: z.boolean().optional(),
});

/**
 * Finds the authorization server of a protected resource (MCP 2025-11-25 and 2026-07-28, Authorization Server
 * Discovery; RFC 9728, RFC 8414, OpenID Connect Discovery; and for servers of 2025-03-26 the metadata at their own
 * origin). What is found must be meant for this server, and speak for the issuer it was looked up by. Rejects with an
 * `OauthError`.
 */
export async function discover(
  target: OauthTarget,
  fetch: OauthFetch,
  known?: Challenge,
): Promise<Discovered> {
  const configured = configuredServer(target);
  if (configured !== undefined) return { resource: canonical(target.url), scopes: undefined, as: configured };
  const challenge = known ?? (await challengeOf(target, fetch));
  const described = await readResource(target, fetch, challenge);
  const scopes = challenge?.scope?.split(' ').filter(Boolean) ?? described?.scopes_supported;
  const origin = new URL(target.url).origin;
  const issuer = issuerOf(target, described?.authorization_servers) ?? origin;
  const as = await readServer(issuer, fetch);
  if (as === undefined)
    throw new OauthError(
      described === undefined
        ? `${origin} does not say where it takes its tokens from; set auth.issuer`
        : `${issuer} does not describe itself as an authorization server`,
    );
  return { resource: described?.resource ?? canonical(target.url), scopes, as };
}

/** The endpoints that the configuration names. */
function configuredServer({ auth }: OauthTarget): AuthorizationServer | undefined {
  const { tokenUrl, authorizationUrl, revocationUrl } = auth;
  if (tokenUrl === undefined) return undefined;
  return {
    issuer: new URL(tokenUrl).origin,
    token_endpoint: tokenUrl,
    ...(authorizationUrl !== undefined && { authorization_endpoint: authorizationUrl }),
    ...(revocationUrl !== undefined && { revocation_endpoint: revocationUrl }),
    code_challenge_methods_supported: ['S256'],
  };
}

const PROBE = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'tools/list', params: {} });

/** What the server says to a request without a token. One that says nothing is looked up by its address. */
async function challengeOf({ url }: OauthTarget, fetch: OauthFetch): Promise<Challenge | undefined> {
  const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  try {
    const response = await fetch(url, { method: 'POST', headers, body: PROBE });
    return challengeIn({ 'www-authenticate': response.headers.get('www-authenticate') ?? undefined });
  } catch {
    return undefined;
  }
}

async function readResource(
  { url }: OauthTarget,
  fetch: OauthFetch,
  challenge: Challenge | undefined,
): Promise<z.infer<typeof resourceSchema> | undefined> {
  const { origin, pathname } = new URL(url);
  const path = pathname.replace(/\/$/, '');
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
  const named = challenge?.resourceMetadata;
  if (named !== undefined && !URL.canParse(named))
    throw new OauthError(`${origin} names no address for its metadata: ${named.slice(0, 200)}`);
  const places = named === undefined ? [...new Set([wellKnown + path, wellKnown])] : [named];
  for (const place of places) {
    const found = resourceSchema.safeParse(await getJson(fetch, place));
    if (!found.success) continue;
    if (!covers(found.data.resource, url))
      throw new OauthError(
        `the metadata at ${place} is of ${found.data.resource}, not of this server (${url}); tokens for it are not asked for`,
      );
    return found.data;
  }
  return undefined;
}

/** Whether a resource is this server, or a part of its origin that this server is in. */
function covers(resource: string, url: string): boolean {
  if (!URL.canParse(resource)) return false;
  const [whole, part] = [new URL(resource), new URL(url)];
  if (whole.origin !== part.origin || whole.hash !== '') return false;
  const base = whole.pathname.replace(/\/$/, '');
  return part.pathname === base || part.pathname.startsWith(`${base}/`);
}

/** The configured issuer, which the server must name too where it names any; else the first it names. */
function issuerOf({ auth, url }: OauthTarget, named: readonly string[] = []): string | undefined {
  const { issuer } = auth;
  const wanted = issuer ?? named[0];
  const plain = (one: string): string => one.replace(/\/$/, '');
  if (issuer !== undefined && named.length > 0 && !named.map(plain).includes(plain(issuer)))
    throw new OauthError(`${url} takes tokens of ${named.join(', ')}, and not of auth.issuer (${issuer})`);
  if (wanted !== undefined && (!URL.canParse(wanted) || !isConfidential(wanted)))
    throw new OauthError(`the authorization server ${wanted.slice(0, 200)} is not at an https address`);
  return wanted;
}

async function readServer(issuer: string, fetch: OauthFetch): Promise<AuthorizationServer | undefined> {
  for (const place of placesOf(issuer)) {
    const found = serverSchema.safeParse(await getJson(fetch, place));
    if (!found.success) continue;
    const as = found.data;
    // Compared as it is written: two spellings of one address are two issuers (RFC 8414, section 3.3).
    if (as.issuer !== issuer)
      throw new OauthError(`the metadata at ${place} is of the issuer ${as.issuer}, not of ${issuer}`);
    return { ...as } as AuthorizationServer;
  }
  return undefined;
}

function placesOf(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const [oauth, openid] = ['oauth-authorization-server', 'openid-configuration'];
  if (path === '') return [`${origin}/.well-known/${oauth}`, `${origin}/.well-known/${openid}`];
  return [
    `${origin}/.well-known/${oauth}${path}`,
    `${origin}/.well-known/${openid}${path}`,
    `${origin}${path}/.well-known/${openid}`,
  ];
}

/** A server's address as a resource indicator: without fragment, and without the slash of an empty path. */
function canonical(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname === '/' ? '' : pathname}${search}`;
}
