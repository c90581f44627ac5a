import { setTimeout as sleep } from 'node:timers/promises';
import {
  initialize,
  type ClientDescription,
  type Connection,
  type ConnectionEvents,
  type Era,
  type Handshake,
} from './connection.ts';
import { HttpStatusError, JsonRpcError, SessionLostError, UnavailableError } from './errors.ts';
import { HttpTransport } from './http-transport.ts';
import { HttpWire, type HttpTarget } from './http-wire.ts';
import { listenToLists, modernHttpRequest } from './modern.ts';
import { ModernHttpTransport } from './modern-http-transport.ts';
import { discoverServer, negotiate, type Approach } from './negotiation.ts';
import { Peer } from './peer.ts';

export interface HttpDeps extends HttpTarget {
  readonly approach: Approach;
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  /** Bounds the handshake. */
  readonly signal: AbortSignal;
}

const RENEWAL_TIMEOUT_MS = 10_000;
/** How long a server that refuses a request as it stands is not suspected anew of having changed its era. */
const DOUBT_AGAIN_MS = 5_000;

/**
 * Speaks MCP over Streamable HTTP, in the server's era (MCP 2026-07-28 and 2025-11-25, Transports). A session that a
 * legacy server has forgotten is opened anew, and a server that comes to speak another era is spoken to in that,
 * once for all calls that noticed, and the call is sent again; the server's answer says that it was not processed.
 * A server that cannot be reached any more is lost.
 */
export async function connectHttp(deps: HttpDeps): Promise<Connection> {
  const closed = new AbortController();
  let renewal: Promise<HttpSession> | undefined;
  let doubtedAt = 0;
  const onUnreachable = (reason: string): void => {
    if (closed.signal.aborted) return;
    closed.abort();
    session.ended.abort();
    deps.events.onLost(reason);
  };
  const use = (fresh: HttpSession): HttpSession => {
    fresh.wire.onUnreachable = onUnreachable;
    if (!closed.signal.aborted) void fresh.listen(fresh.ended.signal);
    return fresh;
  };
  let session = await openSession(deps, deps.signal);
  use(session);

  const renew = (lost: HttpSession): Promise<HttpSession> => {
    if (session !== lost) return Promise.resolve(session);
    renewal ??= openSession(deps, AbortSignal.timeout(RENEWAL_TIMEOUT_MS))
      .then((fresh) => {
        lost.ended.abort();
        session = use(fresh);
        deps.events.onRenewed();
        return fresh;
      })
      .finally(() => (renewal = undefined));
    return renewal;
  };
  /** Whether an error says that the request was not processed and may be in another session. */
  const isLost = (error: unknown, used: HttpSession): boolean => {
    if (error instanceof SessionLostError) return true;
    if (deps.approach.protocol !== 'auto' || !isOtherEra(error, used.era)) return false;
    if (session !== used) return true;
    if (Date.now() - doubtedAt < DOUBT_AGAIN_MS) return false;
    doubtedAt = Date.now();
    return true;
  };
  return {
    get era() {
      return session.era;
    },
    get handshake() {
      return session.handshake;
    },
    request: async (method, params, options) => {
      const used = session;
      try {
        return await used.request(method, params, options);
      } catch (error) {
        if (!isLost(error, used)) throw error;
        return (await renew(used)).request(method, params, options);
      }
    },
    notify: (method, params) => session.peer.notify(method, params),
    close: async () => {
      closed.abort();
      session.ended.abort();
      session.peer.end(new UnavailableError('the connection is closed'));
      await session.close();
    },
  };
}

/** One way to speak with the server: in a session of the legacy era, or in the modern era, which has none. */
interface HttpSession {
  readonly era: Era;
  readonly handshake: Handshake;
  readonly wire: HttpWire;
  readonly peer: Peer;
  readonly request: Connection['request'];
  /** Takes what belongs to no request, until the signal aborts. */
  readonly listen: (signal: AbortSignal) => Promise<void>;
  /** Ends the listening. */
  readonly ended: AbortController;
  readonly close: () => Promise<void>;
}

async function openSession(deps: HttpDeps, signal: AbortSignal): Promise<HttpSession> {
  const { approach, client, events } = deps;
  const wire = new HttpWire(deps);
  const legacy = new HttpTransport(wire);
  const legacyPeer = new Peer(legacy, events);
  legacy.onMessage = (message, streamOf) => legacyPeer.receive(message, streamOf);
  const modern = new ModernHttpTransport(wire);
  const modernPeer = new Peer(modern, events);
  modern.onMessage = (message, streamOf) => modernPeer.receive(message, streamOf);

  const settled = new AbortController();
  const { era, handshake } = await negotiate(
    approach,
    {
      discover: (until) => discoverServer(modernPeer, client, AbortSignal.any([until, settled.signal])),
      initialize: async (until) => {
        const said = await initialize(legacyPeer, client, until);
        legacy.protocolVersion = said.protocolVersion;
        await legacyPeer.notify('notifications/initialized', undefined, until);
        return said;
      },
    },
    signal,
  ).finally(() => settled.abort());
  const ended = new AbortController();
  if (era === 'legacy') {
    return {
      era,
      handshake,
      wire,
      ended,
      peer: legacyPeer,
      request: (method, params, options) => legacyPeer.request(method, params, options),
      listen: (until) => listenLegacy(legacy, until),
      close: () => legacy.close(),
    };
  }
  const request = modernHttpRequest(modernPeer, client, modern, events.onWarning);
  return {
    era,
    handshake,
    wire,
    ended,
    request,
    peer: modernPeer,
    listen: (until) => listenToLists(request, handshake, events, until),
    close: () => modern.close(),
  };
}

/** Statuses that say what they say whatever the era: credentials, time, size, rate. */
const ERALESS: ReadonlySet<number> = new Set([401, 403, 408, 413, 429]);
/** The errors that only a modern server answers, among those that a legacy request can meet. */
const MODERN_CODES: ReadonlySet<unknown> = new Set([-32020, -32022]);

/** Whether a server's refusal suggests that it speaks another era than it did. */
function isOtherEra(error: unknown, era: Era): boolean {
  const cause = error instanceof UnavailableError && error.cause !== undefined ? error.cause : error;
  if (cause instanceof JsonRpcError) return era === 'modern' && MODERN_CODES.has(cause.code);
  if (!(cause instanceof HttpStatusError)) return false;
  const { statusCode, rpc } = cause;
  return era === 'modern' ? statusCode < 500 && !ERALESS.has(statusCode) : MODERN_CODES.has(rpc?.['code']);
}

/**
 * Keeps the server's own stream of notifications open where it offers one (GET). A server that refuses it in one
 * session may offer it in the next.
 */
async function listenLegacy(transport: HttpTransport, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      if (!(await transport.listen(signal))) return;
    } catch {
      // The stream broke, or the server is away: calls report that; here it is tried again.
    }
    await sleep(transport.listenAgainMs(), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
