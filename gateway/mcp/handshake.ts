import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { LATEST_PROTOCOL_VERSION, MODERN_VERSION, PROTOCOL_VERSIONS } from '../upstream/connection.ts';
import { META } from '../upstream/envelope.ts';
import type { View } from './scope.ts';

/** The revision to speak with a client (MCP 2025-11-25, Lifecycle): the one it asked for, or our latest. */
export function negotiate(requested: unknown): string {
  return PROTOCOL_VERSIONS.find((version) => version === requested) ?? LATEST_PROTOCOL_VERSION;
}

/** What a client says of itself is kept as long as its session: as JSON, each part has so many characters at most. */
const MAX_SAID_CHARS = 32 * 1024;

/** Which part of what a client says of itself is too long to be kept, in words; undefined where none is. */
export function tooLong(said: JsonObject): string | undefined {
  const part = Object.keys(said).find((key) => JSON.stringify(said[key] ?? null).length > MAX_SAID_CHARS);
  return part && `${part} is longer than the ${MAX_SAID_CHARS} characters that are kept of it`;
}

/**
 * The result of `initialize`. At a server's own address it is that server's, less what the gateway cannot carry
 * yet; in aggregates it is the gateway's and does not depend on which servers happen to run.
 */
export function initializeResult(view: View, protocolVersion: string, gatewayVersion: string): JsonObject {
  const { serverInfo, capabilities, instructions } = described(view, gatewayVersion);
  return { protocolVersion, capabilities, serverInfo, ...(instructions !== undefined && { instructions }) };
}

/**
 * The result of `server/discover` (MCP 2026-07-28), less what every result has. Aggregates offer subscriptions:
 * each resource's server is found by its URI.
 */
export function discoverResult(view: View, gatewayVersion: string): JsonObject {
  const { serverInfo, capabilities, instructions } = described(view, gatewayVersion);
  const { resources } = capabilities;
  const subscribable = view.own === undefined && isJsonObject(resources);
  return {
    supportedVersions: [MODERN_VERSION],
    capabilities: subscribable
      ? { ...capabilities, resources: { ...resources, subscribe: true } }
      : capabilities,
    ...(instructions !== undefined && { instructions }),
    _meta: { [META.serverInfo]: serverInfo },
  };
}

interface Described {
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions?: string | undefined;
}

function described(view: View, gatewayVersion: string): Described {
  const { serverInfo, declared, instructions } = view.own?.status ?? {};
  return {
    capabilities: capabilities(serverInfo === undefined ? ALL : declared, view.discover === undefined),
    serverInfo: serverInfo === undefined ? gatewayInfo(gatewayVersion) : { ...serverInfo },
    instructions,
  };
}

function gatewayInfo(version: string): JsonObject {
  return { name: 'toolgate', title: 'Toolgate', version };
}

const ALL: JsonObject = { tools: {}, resources: {}, prompts: {}, completions: {} };

/** `settable`: whether sessions can set a log level and subscribe at the address. */
function capabilities(declared: JsonObject | undefined, settable: boolean): JsonObject {
  const carried: JsonObject = {};
  for (const name of ['tools', 'resources', 'prompts']) {
    const offered = declared?.[name];
    if (!isJsonObject(offered)) continue;
    const subscribe = settable && name === 'resources' && offered['subscribe'] === true;
    carried[name] = { listChanged: true, ...(subscribe && { subscribe }) };
  }
  for (const name of settable ? ['completions', 'logging'] : ['completions'])
    if (isJsonObject(declared?.[name])) carried[name] = {};
  return carried;
}
