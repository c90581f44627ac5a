import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OwnAddress } from './own-address.ts';
import { sendJsonText } from './respond.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** The MCP addresses, by their form alone: whether there is a group of that name is not told. */
const RESOURCE = /^(?:|\/(?:mcp|sse)(?:\/[\w.-]{1,60}){0,3})\/?$/;

/**
 * OAuth 2.0 Protected Resource Metadata (RFC 9728) for `/`, `/mcp…` and `/sse…`: by which issuers' tokens they may be
 * used. False when the path is not its own, as when no issuer is configured.
 */
export function createProtectedResource(
  address: OwnAddress,
  issuers: () => readonly string[],
): (req: IncomingMessage, res: ServerResponse, path: string) => boolean {
  return (req, res, path) => {
    if (!path.startsWith(WELL_KNOWN) || issuers().length === 0) return false;
    const resource = path.slice(WELL_KNOWN.length);
    if (!RESOURCE.test(resource)) return false;
    const metadata = {
      resource: address.originOf(req) + (resource === '' ? '/' : resource),
      authorization_servers: issuers(),
      bearer_methods_supported: ['header'],
      resource_name: 'Toolgate',
    };
    sendJsonText(res, 200, JSON.stringify(metadata));
    return true;
  };
}

/** What a 401 says to a client that can get a token from an issuer (RFC 9728, section 5.1). */
export function challenge(
  origin: string,
  url: string | undefined,
  issuers: readonly string[],
  wrongToken: boolean,
): string {
  const parts = ['Bearer realm="toolgate"'];
  if (wrongToken) parts.push('error="invalid_token"');
  const path = (url ?? '/').split('?')[0] ?? '/';
  const resource = RESOURCE.test(path) ? path : '';
  if (issuers.length > 0)
    parts.push(`resource_metadata="${origin}${WELL_KNOWN}${resource === '/' ? '' : resource}"`);
  return parts.join(', ');
}
