import type { JsonObject } from '../contract/json.ts';
import type { OwnConnection, Requests } from '../pipeline/call.ts';
import type { Connection } from '../upstream/connection.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import type { ServerMessages } from '../upstream/server-messages.ts';
import { subscribe } from '../upstream/subscription.ts';
import type { Caller } from '../upstream/isolation.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { CODES } from './jsonrpc.ts';
import type { Route } from './relay.ts';
import { MAX_SUBSCRIPTIONS } from './session-settings.ts';
import { LOG_LEVELS } from './modern/request.ts';

/**
 * What a legacy session has set at a modern server, which keeps nothing of it: the log level goes with each call,
 * subscriptions become a `subscriptions/listen` of the gateway's. The shared connection carries it all.
 */
export interface ModernSession {
  /** The least severe log message that the session wants. */
  logLevel(): string;
  /** The shared connection for one request, whose route takes what the server says about it. */
  during(route: Route): OwnConnection;
  close(): void;
}

/** Sessions that never set a level still get what servers of the legacy era send by default. */
const DEFAULT_LEVEL = 'info';
/** Of one server; each holds a connection over HTTP, and calls need some too. */
const MAX_LISTENING = 128;
const UPDATED = 'notifications/resources/updated';

/**
 * Opens what a session, or a client of the modern era, sets at a modern server. `announce` takes the changes of the
 * resources that it subscribes to; `caller` is whose calls it carries.
 */
export type OpenModernSession = (
  serverId: string,
  announce: Route['announce'],
  caller?: Caller,
) => ModernSession;

export function createModernSessions(upstreams: Upstreams): OpenModernSession {
  const listening = new Map<string, number>();
  return (serverId, announce, caller) =>
    createModernSession(serverId, upstreams, announce, caller, {
      take: () => {
        const open = listening.get(serverId) ?? 0;
        if (open >= MAX_LISTENING)
          throw new JsonRpcError(CODES.refused, `${MAX_LISTENING} clients listen to this server, the limit`);
        listening.set(serverId, open + 1);
      },
      free: () => listening.set(serverId, (listening.get(serverId) ?? 1) - 1),
    });
}

interface Slots {
  readonly take: () => void;
  readonly free: () => void;
}

function createModernSession(
  serverId: string,
  upstreams: Upstreams,
  announce: Route['announce'],
  caller: Caller | undefined,
  slots: Slots,
): ModernSession {
  const uris = new Set<string>();
  const closed = new AbortController();
  let level = DEFAULT_LEVEL;
  let listening: AbortController | undefined;

  const request: Connection['request'] = async (method, params, options) =>
    (await upstreams.connected(serverId, caller)).request(method, params, options);
  /** Listens to all that is subscribed to by now, and gives up what was listened to before when that has begun. */
  const listen = (signal: AbortSignal): Promise<void> => {
    const former = listening;
    if (uris.size === 0) {
      former?.abort();
      listening = undefined;
      return Promise.resolve();
    }
    slots.take();
    const current = (listening = new AbortController());
    const until = AbortSignal.any([current.signal, closed.signal]);
    const resourceSubscriptions = [...uris];
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        current.abort();
        if (listening === current) listening = former;
        reject(error);
      };
      const giveUp = (): void => fail(new Error('the request was given up'));
      signal.addEventListener('abort', giveUp, { once: true });
      const subscriber = {
        onNotification: (method: string, params: JsonObject): void => {
          // Its address and nothing else: who listens to it knows that, and a server has nothing to add.
          if (method === UPDATED) announce(method, { uri: params['uri'] });
        },
        onOpened: (again: boolean): void => {
          former?.abort();
          signal.removeEventListener('abort', giveUp);
          resolve();
          // What changed meanwhile is not known: each may have.
          if (again) for (const uri of resourceSubscriptions) announce(UPDATED, { uri });
        },
      };
      void subscribe(request, { resourceSubscriptions }, subscriber, until).then(() => {
        slots.free();
        fail(new JsonRpcError(CODES.methodNotFound, 'the server offers no subscriptions'));
      });
    });
  };
  const add = async (uri: string, signal: AbortSignal): Promise<void> => {
    if (uris.has(uri)) return;
    uris.add(uri);
    try {
      await listen(signal);
    } catch (error) {
      uris.delete(uri);
      throw error;
    }
  };
  /** Answers what the gateway keeps for the session; undefined for what the server has to answer. */
  const set = async (
    method: string,
    params: JsonObject,
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> => {
    switch (method) {
      case 'logging/setLevel':
        if (!LOG_LEVELS.includes(params['level']))
          throw new JsonRpcError(CODES.invalidParams, 'unknown log level');
        level = String(params['level']);
        return {};
      case 'resources/subscribe':
        if (uris.size >= MAX_SUBSCRIPTIONS)
          throw new JsonRpcError(CODES.refused, `over ${MAX_SUBSCRIPTIONS} subscriptions`);
        await add(String(params['uri']), signal);
        return {};
      case 'resources/unsubscribe':
        if (uris.delete(String(params['uri']))) await listen(signal);
        return {};
      default:
        return undefined;
    }
  };
  return {
    logLevel: () => level,
    during: (route) => {
      const related: ServerMessages = { onNotification: route.deliver };
      const over = (connection: Connection): Requests => ({
        request: async (method, params, options) => {
          const result =
            (await set(method, params, options.signal)) ??
            (await connection.request(method, params, { ...options, related }));
          await route.settled?.();
          return result;
        },
      });
      return {
        offered: () => undefined,
        waiting: () => false,
        ready: () => {
          const ready = upstreams.connected(serverId, caller);
          return ready instanceof Promise ? ready.then(over) : over(ready);
        },
      };
    },
    close: () => closed.abort(),
  };
}
