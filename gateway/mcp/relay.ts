import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { Aside, Said } from '../pipeline/asides.ts';
import { createLine } from '../pipeline/line.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import type { ServerMessages } from '../upstream/server-messages.ts';
import type { Asks } from './asks.ts';
import { CODES } from './jsonrpc.ts';
import type { Streams } from './streams.ts';

/** The part of a client that a server may reach. */
export interface Reached {
  /** Whose the session is. */
  readonly principal: Principal;
  /** What the client declared. */
  readonly capabilities: JsonObject;
  /** Takes what belongs to no request. */
  readonly route: Route;
  /** True while the client has not answered something. */
  readonly waiting: () => boolean;
  /** False once the client's token does not hold any more, or the address is closed to it. */
  readonly permitted: () => boolean;
}

/** Where a server's messages go. */
export interface Route {
  /** Takes a notification about what is under way, such as a log message. */
  deliver(method: string, params: JsonObject): void;
  /** Takes a notification that belongs to no request. */
  announce(method: string, params?: JsonObject): void;
  /** Asks the client, and resolves with its result; rejects with a `JsonRpcError`. */
  ask(method: string, params: JsonObject, signal: AbortSignal): Promise<JsonObject>;
  /** Resolves when what was to be delivered has been, or after a while; undefined when nothing waits. */
  settled?(): Promise<void> | undefined;
}

/**
 * The route, with what passes on it shown to guardrails first, and delivered in its order. What they refuse is not
 * delivered, nor asked; of notifications, what is more than may wait is dropped.
 */
export function watched(route: Route, look: () => Aside | undefined): Route {
  const line = createLine();
  const looking =
    (take: Route['deliver']): Route['deliver'] =>
    (method, params) => {
      const aside = look();
      if (aside === undefined) return take(method, params);
      line.push(async () => {
        const said = await aside.said(method, params);
        if ('value' in said) take(method, said.value);
      });
    };
  const announced = looking(route.announce);
  return {
    announce: (method, params) => (params === undefined ? route.announce(method) : announced(method, params)),
    deliver: looking(route.deliver),
    ask: async (method, params, signal) => {
      const aside = look();
      if (aside === undefined) return route.ask(method, params, signal);
      const question = passed(await aside.said(method, params), 'the question');
      if (signal.aborted) throw new JsonRpcError(CODES.refused, 'the server took the request back');
      const answered = async (answer: JsonObject): Promise<JsonObject> =>
        passed(await aside.answered(method, answer), 'the answer');
      const answer = await route.ask(method, question, signal).catch(async (error: unknown) => {
        throw error instanceof JsonRpcError ? await wordsPassed(error, answered) : error;
      });
      return answered(answer);
    },
    settled: () => line.settled(),
  };
}

/** The error that a client answers with is an answer as well: it may hold any words. */
async function wordsPassed(
  { code, message, data }: JsonRpcError,
  answered: (answer: JsonObject) => Promise<JsonObject>,
): Promise<JsonRpcError> {
  const shown = await answered({ message, ...(data !== undefined && { data }) });
  return new JsonRpcError(code, String(shown['message']), shown['data']);
}

function passed(said: Said, what: string): JsonObject {
  if ('value' in said) return said.value;
  throw new JsonRpcError(CODES.refused, `${what} did not pass: ${said.blocked}`);
}

/** The way to the client of a legacy session; `send` is false when there is no stream to send on. */
export function sessionRoute(
  { streams, asks }: { readonly streams: Streams; readonly asks: Asks },
  send: (message: string) => boolean,
): Route {
  const text = (method: string, params?: JsonObject): string =>
    JSON.stringify({ jsonrpc: '2.0', method, params });
  return {
    deliver: (method, params) => void send(text(method, params)),
    announce: (method, params) => void streams.announce(text(method, params)),
    ask: (method, params, signal) => asks.ask(method, params, signal, send),
  };
}

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
 * Carries a server's own messages to the one client whose connection they came on. What the client did not
 * declare is refused here. `onListChanged` takes the news that a list has changed.
 */
export function createRelay(
  { capabilities, permitted }: Reached,
  onListChanged: (method: string) => void,
): (route: Route) => ServerMessages {
  return ({ deliver, announce, ask }) => ({
    onNotification: (method, params) => {
      if (method.endsWith('/list_changed')) return onListChanged(method);
      if (!permitted()) return;
      if (method === 'notifications/resources/updated') announce(method, params);
      else deliver(method, params);
    },
    onRequest: async (method, params, signal) => {
      const capability = CAPABILITIES[method];
      if (capability === undefined || !isJsonObject(capabilities[capability]))
        throw new JsonRpcError(CODES.methodNotFound, `the client does not offer ${method}`);
      if (!permitted()) throw new JsonRpcError(CODES.refused, 'the client has no access any more');
      return ask(method, params, signal);
    },
  });
}
