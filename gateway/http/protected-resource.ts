import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OwnAddress } from './own-address.ts';
import { sendJsonText } from './respond.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** The MCP addresses, by their form alone: whether there is a group of that name is not told. */
const RESOURCE = /^(?:|\/(?:mcp|sse)(?:\/[\w.-]{1,60}){0,3})\/?$/;

/** An issuer of tokens, as clients are told of it. */
export interface IssuerView {
  readonly issuer: string;
  /** Those that its tokens must have. */
  readonly requiredScopes: readonly string[];
}

/**
 * OAuth 2.0 Protected Resource Metadata (RFC 9728) for `/`, `/mcp…` and `/sse…`: by which issuers' tokens they may be
 * used. False when the path is not its own, as when no issuer is configured.
 */
export function createProtectedResource(
  address: OwnAddress,
  issuers: () => readonly IssuerView[],
): (req: IncomingMessage, res: ServerResponse, path: string) => boolean {
  return (req, res, path) => {
    if (!path.startsWith(WELL_KNOWN) || issuers().length === 0) return false;
    const resource = path.slice(WELL_KNOWN.length);
    if (!RESOURCE.test(resource)) return false;
    const scopes = commonScopes(issuers());
    const metadata = {
      resource: address.originOf(req) + (resource === '' ? '/' : resource),
      authorization_servers: issuers().map(({ issuer }) => issuer),
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: ['header'],
      resource_name: 'Toolgate',
    };
    sendJsonText(res, 200, JSON.stringify(metadata));
    return true;
  };
}

/** What is wrong with the token that was sent. */
export type TokenError =
  | { readonly error: 'invalid_token' }
  | { readonly error: 'insufficient_scope'; readonly scopes: readonly string[] };

/** What a 401 or 403 says to a client that can get a token from an issuer (RFC 9728, section 5.1; RFC 6750, section 3). */
export function challenge(
  origin: string,
  url: string | undefined,
  issuers: readonly IssuerView[],
  wrong?: TokenError,
): string {
  const parts = ['Bearer realm="toolgate"'];
  if (wrong !== undefined) parts.push(`error="${wrong.error}"`);
  const scopes = wrong !== undefined && 'scopes' in wrong ? wrong.scopes : commonScopes(issuers);
  if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`);
  const path = (url ?? '/').split('?')[0] ?? '/';
  const resource = RESOURCE.test(path) ? path : '';
  if (issuers.length > 0)
    parts.push(`resource_metadata="${origin}${WELL_KNOWN}${resource === '/' ? '' : resource}"`);
  return parts.join(', ');
}

/** Those that every issuer's tokens need: a client may go to any, and must not ask one for another's. */
function commonScopes(issuers: readonly IssuerView[]): readonly string[] {
  const [first, ...others] = issuers;
  return (
    first?.requiredScopes.filter((scope) => others.every((one) => one.requiredScopes.includes(scope))) ?? []
  );
}
