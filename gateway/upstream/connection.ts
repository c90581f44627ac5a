import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { UnavailableError } from './errors.ts';
import type { Peer, RequestOptions } from './peer.ts';
import type { ServerMessages } from './server-messages.ts';

/** How a server speaks: `legacy` up to revision 2025-11-25, with a handshake; `modern` since 2026-07-28, without. */
export type Era = 'legacy' | 'modern';

/** A connection to one MCP server, its era settled and its handshake done. */
export interface Connection {
  readonly era: Era;
  readonly handshake: Handshake;
  /** Rejects with `JsonRpcError`, `UnavailableError` or the signal's reason. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject>;
  /** Rejects when the message could not be delivered. */
  notify(method: string, params: JsonObject): Promise<void>;
  close(): Promise<void>;
}

/** What a server said at `initialize` or `server/discover`. */
export interface Handshake {
  readonly protocolVersion: string;
  readonly serverInfo: { readonly name: string; readonly version: string };
  readonly capabilities: JsonObject;
  readonly instructions?: string;
  /** What an administrator should know of it, though it works. */
  readonly warnings?: readonly string[];
  /** When the server last kept silent or ended on being asked `server/discover`; ms since the epoch. */
  readonly shyAt?: number;
}

/** Who connects, as a server is told. */
export interface ClientDescription {
  /** The gateway's version. */
  readonly version: string;
  /** What the server may ask: the capabilities of the caller the connection is for; none on a shared one. */
  readonly capabilities: JsonObject;
}

/** What a connection tells its owner. */
export interface ConnectionEvents extends ServerMessages {
  /** The server had forgotten the connection's session and has a new one: what it offers may have changed. */
  readonly onRenewed: () => void;
  /** The connection is gone, in words; nothing more will come. Not called after `close`. */
  readonly onLost: (reason: string) => void;
  readonly onStderr: (line: string) => void;
  /** What is wrong with the server and worth telling an administrator. */
  readonly onWarning: (words: string) => void;
}

/** The revisions of the legacy era, newest first. */
export const PROTOCOL_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const LATEST_PROTOCOL_VERSION = PROTOCOL_VERSIONS[0];
/** The revision of the modern era. */
export const MODERN_VERSION = '2026-07-28';

/** The era of the revision that is spoken with a server. */
export function eraOf(protocolVersion: string | undefined): Era {
  return protocolVersion === MODERN_VERSION ? 'modern' : 'legacy';
}

/** The `initialize` exchange (MCP 2025-11-25, Lifecycle). */
export async function initialize(
  peer: Peer,
  client: ClientDescription,
  signal: AbortSignal,
): Promise<Handshake> {
  const result = await peer.request(
    'initialize',
    {
      protocolVersion: LATEST_PROTOCOL_VERSION,
      capabilities: client.capabilities,
      clientInfo: { name: 'toolgate', version: client.version },
    },
    { signal },
  );
  const { protocolVersion } = result;
  if (typeof protocolVersion !== 'string' || !PROTOCOL_VERSIONS.some((known) => known === protocolVersion)) {
    throw new UnavailableError(
      `the server wants protocol version ${String(protocolVersion)}, which is not supported`,
    );
  }
  return readHandshake(protocolVersion, result);
}

/** What a server says of itself in its first answer, of either era. */
export function readHandshake(protocolVersion: string, result: JsonObject): Handshake {
  const { serverInfo, capabilities, instructions } = result;
  const info = isJsonObject(serverInfo) ? serverInfo : {};
  return {
    protocolVersion,
    serverInfo: { name: text(info['name']) ?? 'unnamed', version: text(info['version']) ?? '' },
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' && { instructions }),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
