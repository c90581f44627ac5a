import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import type { ServerMessages } from '../upstream/server-messages.ts';
import type { Asks } from './asks.ts';
import { CODES } from './jsonrpc.ts';
import type { Streams } from './streams.ts';

/** The part of a session that a server may reach. */
export interface Reached {
  /** What the client declared at `initialize`. */
  readonly capabilities: JsonObject;
  readonly streams: Streams;
  readonly asks: Asks;
  /** False once the client's token does not hold any more, or the address is closed to it. */
  readonly permitted: () => boolean;
}

/** Where a server's messages go: `deliver` what belongs to a request, `announce` what belongs to none. */
export type Route = Pick<Streams, 'deliver' | 'announce'>;

/** The client capabilities that let a server ask back, by the method it asks with (MCP 2025-11-25, Client). */
const CAPABILITIES: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
};

/** Whether a server may ask a client with these capabilities anything. */
export function canBeAsked(capabilities: JsonObject): boolean {
  return Object.keys(askable(capabilities)).length > 0;
}

/** Of a client's capabilities those that the gateway carries to a server. */
export function askable(capabilities: JsonObject): JsonObject {
  const names = Object.values(CAPABILITIES).filter((name) => isJsonObject(capabilities[name]));
  return Object.fromEntries(names.map((name) => [name, capabilities[name]]));
}

/**
 * Carries a server's own messages to the one session whose connection they came on. What the client did not
 * declare is refused here. `onListChanged` takes the news that a list has changed.
 */
export function createRelay(
  session: Reached,
  onListChanged: (method: string) => void,
): (route: Route) => ServerMessages {
  const { asks, capabilities, permitted } = session;
  return ({ deliver, announce }) => ({
    onNotification: (method, params) => {
      if (method.endsWith('/list_changed')) return onListChanged(method);
      if (!permitted()) return;
      const text = JSON.stringify({ jsonrpc: '2.0', method, params });
      if (method === 'notifications/resources/updated') announce(text);
      else deliver(text);
    },
    onRequest: async (method, params, signal) => {
      const capability = CAPABILITIES[method];
      if (capability === undefined || !isJsonObject(capabilities[capability]))
        throw new JsonRpcError(CODES.methodNotFound, `the client does not offer ${method}`);
      if (!permitted()) throw new JsonRpcError(CODES.refused, 'the client has no access any more');
      return asks.ask(method, params, signal, deliver);
    },
  });
}
