import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Envelope } from '../pipeline/call.ts';
import { MODERN_VERSION, type ClientDescription } from './connection.ts';

/** The `_meta` keys that the modern era reserves (MCP 2026-07-28, Base Protocol). */
export const META = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/**
 * The params of a modern request, with who asks in `_meta`: the caller by its `envelope`, else the gateway, which
 * cannot be asked anything. Such keys that the params hold already count for nothing.
 */
export function enveloped(
  params: JsonObject,
  client: ClientDescription,
  envelope: Envelope | undefined,
): JsonObject {
  const meta = isJsonObject(params['_meta']) ? params['_meta'] : undefined;
  return {
    ...params,
    _meta: {
      ...meta,
      [META.protocolVersion]: MODERN_VERSION,
      [META.clientInfo]: envelope?.clientInfo ?? { name: 'toolgate', version: client.version },
      [META.clientCapabilities]: envelope?.clientCapabilities ?? client.capabilities,
      [META.logLevel]: envelope?.logLevel,
    },
  };
}
