import { initialize, type Connection } from './connection.ts';
import { UnavailableError } from './errors.ts';
import { Peer } from './peer.ts';
import { SseTransport } from './sse-transport.ts';
import type { HttpDeps } from './streamable-http.ts';

/**
 * Speaks MCP over the HTTP+SSE transport of 2024-11-05, which servers of that time still offer. The session is its
 * stream: when that ends, the connection is lost, and the next one is a new session.
 */
export async function connectSse(deps: HttpDeps): Promise<Connection> {
  const transport = new SseTransport(deps);
  const peer = new Peer(transport, deps.events);
  transport.onMessage = (message) => peer.receive(message);
  let opened = false;
  transport.onEnded = (reason) => {
    peer.end(new UnavailableError(reason));
    if (opened) deps.events.onLost(reason);
  };
  try {
    await transport.open(deps.signal);
    const handshake = await initialize(peer, deps.client, deps.signal);
    await peer.notify('notifications/initialized', undefined, deps.signal);
    opened = true;
    return {
      era: 'legacy',
      handshake,
      request: (method, params, options) => peer.request(method, params, options),
      notify: (method, params) => peer.notify(method, params),
      close: async () => {
        await transport.close();
        peer.end(new UnavailableError('the connection is closed'));
      },
    };
  } catch (error) {
    await transport.close();
    throw error;
  }
}
