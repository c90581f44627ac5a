import { isJsonObject, type JsonObject } from '../contract/json.ts';
import {
  MODERN_VERSION,
  PROTOCOL_VERSIONS,
  readHandshake,
  type ClientDescription,
  type Era,
  type Handshake,
} from './connection.ts';
import { enveloped, META } from './envelope.ts';
import { HttpStatusError, JsonRpcError, UnavailableError } from './errors.ts';
import type { Peer } from './peer.ts';

/** What is remembered of a server's ways between its connections. */
export interface EraMemory {
  /** When it last kept silent or ended on being asked `server/discover`; ms since the epoch. */
  shyAt?: number | undefined;
}

/** How to find out a server's era. */
export interface Approach {
  /** As configured. */
  readonly protocol: 'auto' | Era;
  readonly memory: EraMemory;
}

export interface Negotiated {
  readonly era: Era;
  readonly handshake: Handshake;
  /** True when `initialize` was sent before the server showed itself to be modern. */
  readonly late?: boolean;
}

/** The two openings of a connection. */
export interface Openings {
  /** `server/discover`; undefined when the answer is not that of a modern server. */
  readonly discover: (signal: AbortSignal) => Promise<Handshake | undefined>;
  readonly initialize: (signal: AbortSignal) => Promise<Handshake>;
}

/** A legacy server may keep silent on what it does not know; a modern one that starts slowly still gets through. */
const PROBE_MS = 2_000;
const SHY_FOR_MS = 7 * 86_400_000;
const UNSUPPORTED_VERSION = -32022;

/** True when `initialize` comes first: the server is said to be of the legacy era, or known to take offence. */
export function legacyFirst({ protocol, memory: { shyAt } }: Approach): boolean {
  return (
    protocol === 'legacy' || (protocol === 'auto' && shyAt !== undefined && Date.now() - shyAt < SHY_FOR_MS)
  );
}

/**
 * Settles which era to speak (MCP 2026-07-28, Versioning, Backward Compatibility): the modern one wherever the
 * server knows it. Whatever else a server does on `server/discover` - an error, silence - makes it a legacy one, and
 * `initialize` follows; only what says nothing of its era (no connection, credentials refused) fails. One that is
 * remembered to bear the question badly is not asked for a week, unless `initialize` fails.
 */
export async function negotiate(
  approach: Approach,
  openings: Openings,
  signal: AbortSignal,
): Promise<Negotiated> {
  if (approach.protocol === 'modern') {
    const handshake = await openings.discover(signal);
    if (handshake !== undefined) return { era: 'modern', handshake };
    throw new UnavailableError(
      `the server does not speak MCP ${MODERN_VERSION}, which "protocol: modern" of its configuration asks for`,
    );
  }
  if (approach.protocol === 'legacy') return { era: 'legacy', handshake: await openings.initialize(signal) };
  return legacyFirst(approach)
    ? initializeFirst(approach.memory, openings, signal)
    : discoverFirst(approach.memory, openings, signal);
}

async function initializeFirst(
  memory: EraMemory,
  { discover, initialize }: Openings,
  signal: AbortSignal,
): Promise<Negotiated> {
  const { shyAt } = memory;
  try {
    const handshake = await initialize(signal);
    return { era: 'legacy', handshake: shyAt === undefined ? handshake : { ...handshake, shyAt } };
  } catch (error) {
    memory.shyAt = undefined;
    const handshake = signal.aborted ? undefined : await discover(signal).catch(() => undefined);
    if (handshake === undefined) throw error;
    return { era: 'modern', handshake };
  }
}

/** Does not wait long for the answer; one that comes late, but not after that to `initialize`, still counts. */
async function discoverFirst(
  memory: EraMemory,
  { discover, initialize }: Openings,
  signal: AbortSignal,
): Promise<Negotiated> {
  let answered = false;
  const asked = discover(signal).finally(() => (answered = true));
  const first = await orLate(asked);
  if (first === undefined) return { era: 'legacy', handshake: await initialize(signal) };
  if (first !== 'late') return { era: 'modern', handshake: first };

  const shyAt = (memory.shyAt = Date.now());
  const discovered = asked.then(
    (handshake) => {
      memory.shyAt = undefined;
      return handshake;
    },
    () => undefined,
  );
  const modern = (handshake: Handshake): Negotiated => ({ era: 'modern', handshake, late: true });
  const answeredLate = discovered.then((handshake) =>
    handshake === undefined ? new Promise<never>(() => undefined) : modern(handshake),
  );
  const legacy = initialize(signal).then(
    async (handshake): Promise<Negotiated> => {
      // Both answers may come in one piece; the question that came first counts.
      const late = answered ? await discovered : undefined;
      if (late !== undefined) return modern(late);
      return { era: 'legacy', handshake: answered ? handshake : { ...handshake, shyAt } };
    },
    async (error: unknown) => {
      const handshake = await orLate(discovered);
      if (handshake === undefined || handshake === 'late') throw error;
      return modern(handshake);
    },
  );
  return Promise.race([answeredLate, legacy]);
}

/** What comes within the time limit of the question. */
async function orLate<T>(promise: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), PROBE_MS).unref();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `server/discover` through a peer, and once more when the server names the version asked with as supported. */
export async function discoverServer(
  peer: Peer,
  client: ClientDescription,
  signal: AbortSignal,
): Promise<Handshake | undefined> {
  for (let tries = 0; ; tries++) {
    try {
      const result = await peer.request('server/discover', enveloped({}, client, undefined), { signal });
      return readDiscovered(result);
    } catch (error) {
      const supported = supportedVersions(error);
      if (supported === undefined) {
        if (error instanceof JsonRpcError || isNoEra(error)) return undefined;
        throw error;
      }
      if (supported.includes(MODERN_VERSION) && tries === 0) continue;
      refuseNewer(supported);
      return undefined;
    }
  }
}

/** A status that says of a server no more than that it did not know what it was asked, or fell over it. */
function isNoEra(error: unknown): boolean {
  return error instanceof HttpStatusError && error.statusCode !== 401 && error.statusCode !== 403;
}

/** The versions that a server named in refusing one (`UnsupportedProtocolVersionError`). */
function supportedVersions(error: unknown): readonly unknown[] | undefined {
  const rpc =
    error instanceof JsonRpcError ? error : error instanceof HttpStatusError ? error.rpc : undefined;
  if (rpc?.code !== UNSUPPORTED_VERSION || !isJsonObject(rpc.data)) return undefined;
  const { supported } = rpc.data;
  return Array.isArray(supported) ? supported : undefined;
}

function readDiscovered(result: JsonObject): Handshake | undefined {
  const { supportedVersions: supported, _meta: meta } = result;
  if (!Array.isArray(supported)) return undefined;
  if (!supported.includes(MODERN_VERSION)) {
    refuseNewer(supported);
    return undefined;
  }
  const info = isJsonObject(meta) ? meta[META.serverInfo] : undefined;
  return readHandshake(MODERN_VERSION, { ...result, serverInfo: info ?? result['serverInfo'] });
}

/** Throws where `initialize` is of no use: the server names versions, and the gateway speaks none of them. */
function refuseNewer(supported: readonly unknown[]): void {
  if (
    supported.length === 0 ||
    supported.some((version) => PROTOCOL_VERSIONS.some((known) => known === version))
  )
    return;
  throw new UnavailableError(
    `the server speaks MCP ${supported.join(', ')}; the gateway speaks ${MODERN_VERSION}, ${PROTOCOL_VERSIONS.join(', ')}`,
  );
}
