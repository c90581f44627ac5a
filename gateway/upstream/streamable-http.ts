import { setTimeout as sleep } from 'node:timers/promises';
import {
  initialize,
  type ClientDescription,
  type Connection,
  type ConnectionEvents,
  type Handshake,
} from './connection.ts';
import { SessionLostError, UnavailableError } from './errors.ts';
import { HttpTransport, type HttpTarget } from './http-transport.ts';
import { Peer } from './peer.ts';

export interface HttpDeps extends HttpTarget {
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  /** Bounds the handshake. */
  readonly signal: AbortSignal;
}

const RENEWAL_TIMEOUT_MS = 10_000;

/**
 * Speaks MCP over Streamable HTTP (MCP 2025-11-25, Transports). A session that the server has forgotten is opened
 * anew, once for all calls that noticed, and the call is sent again; a 404 says that it was not processed. A
 * server that cannot be reached any more is lost.
 */
export async function connectHttp(deps: HttpDeps): Promise<Connection> {
  const closed = new AbortController();
  let renewal: Promise<HttpSession> | undefined;
  const onUnreachable = (reason: string): void => {
    if (closed.signal.aborted) return;
    closed.abort();
    deps.events.onLost(reason);
  };
  let session = await openSession(deps, deps.signal);
  session.transport.onUnreachable = onUnreachable;
  void listen(() => session, closed.signal);

  const renew = (lost: HttpSession): Promise<HttpSession> => {
    if (session !== lost) return Promise.resolve(session);
    renewal ??= openSession(deps, AbortSignal.timeout(RENEWAL_TIMEOUT_MS))
      .then((fresh) => {
        fresh.transport.onUnreachable = onUnreachable;
        session = fresh;
        deps.events.onRenewed();
        return fresh;
      })
      .finally(() => (renewal = undefined));
    return renewal;
  };
  return {
    era: 'legacy',
    get handshake() {
      return session.handshake;
    },
    request: async (method, params, options) => {
      const used = session;
      try {
        return await used.peer.request(method, params, options);
      } catch (error) {
        if (!(error instanceof SessionLostError)) throw error;
        return (await renew(used)).peer.request(method, params, options);
      }
    },
    notify: (method, params) => session.peer.notify(method, params),
    close: async () => {
      closed.abort();
      session.peer.end(new UnavailableError('the connection is closed'));
      await session.transport.close();
    },
  };
}

interface HttpSession {
  readonly peer: Peer;
  readonly transport: HttpTransport;
  readonly handshake: Handshake;
}

async function openSession(deps: HttpDeps, signal: AbortSignal): Promise<HttpSession> {
  const transport = new HttpTransport(deps);
  const peer = new Peer(transport, deps.events);
  transport.onMessage = (message, streamOf) => peer.receive(message, streamOf);
  const handshake = await initialize(peer, deps.client, signal);
  transport.protocolVersion = handshake.protocolVersion;
  await peer.notify('notifications/initialized', undefined, signal);
  return { peer, transport, handshake };
}

/**
 * Keeps the server's own stream of notifications open where it offers one (GET). A server that refuses it in one
 * session may offer it in the next.
 */
async function listen(current: () => HttpSession, signal: AbortSignal): Promise<void> {
  let refused: HttpSession | undefined;
  while (!signal.aborted) {
    const session = current();
    try {
      if (session !== refused && !(await session.transport.listen(signal))) refused = session;
    } catch {
      // The stream broke, or the server is away: calls report that; here it is tried again.
    }
    await sleep(session.transport.listenAgainMs(), undefined, { signal, ref: false }).catch(() => undefined);
  }
}
