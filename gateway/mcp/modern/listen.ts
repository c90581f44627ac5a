import type { Caller as UpstreamCaller } from '../../upstream/isolation.ts';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import { newFacts, type Call, type OwnConnection, type Pipeline } from '../../pipeline/call.ts';
import type { Catalog } from '../../registry/catalog.ts';
import { META } from '../../upstream/envelope.ts';
import { MAX_URI_CHARS } from '../aim.ts';
import { CODES, resultText } from '../jsonrpc.ts';
import type { ModernSession } from '../modern-session.ts';
import { canBeAsked, type Route } from '../relay.ts';
import type { ListMethod, View, Views } from '../scope.ts';
import { ownServer, type Caller, type OwnerOf } from './owner.ts';
import type { Payloads } from './payloads.ts';
import type { ConnectionPool, PooledConnection } from './pool.ts';
import type { ModernRequest, StatusError } from './request.ts';
import { NOWHERE } from './talk.ts';

/** A `subscriptions/listen`, with the stream that answers it. */
export interface ListenExchange extends Caller {
  readonly request: ModernRequest;
  readonly traceId: string;
  readonly requestBytes: number;
  /** Aborted when the client closes the stream. */
  readonly signal: AbortSignal;
  readonly notify: (method: string, params: JsonObject) => void;
  /** Sends the last message and ends the stream. */
  readonly finish: (message: string) => void;
}

/** The open subscriptions of modern clients (MCP 2026-07-28, Subscriptions). */
export interface Listeners {
  /** Opens one, and resolves once it is acknowledged; with the error to answer when it cannot be. */
  open(exchange: ListenExchange): Promise<StatusError | undefined>;
  /** Ends all, each with its result. */
  close(): void;
}

export interface ListenDeps {
  readonly views: Views;
  readonly catalog: Catalog;
  readonly pipeline: Pipeline;
  readonly pool: ConnectionPool;
  readonly ownerOf: OwnerOf;
  readonly payloads: (view: View) => Payloads;
  /** The shared connection to a modern server, with what it announces. */
  readonly modernSession: (
    serverId: string,
    announce: Route['announce'],
    caller: UpstreamCaller,
  ) => ModernSession;
  readonly holds: (principal: Caller['principal']) => boolean;
}

const MAX_OPEN = 1_024;
const MAX_OPEN_EACH = 16;
const MAX_RESOURCES = 256;
/** How soon the stream of a caller ends whose token has ceased to hold. */
const SWEEP_MS = 1_000;
const UPDATED = 'notifications/resources/updated';

/** What can be asked for: the filter's key, the capability it needs, its list and its notification. */
const CHANGES = [
  ['toolsListChanged', 'tools', 'tools/list', 'notifications/tools/list_changed'],
  ['promptsListChanged', 'prompts', 'prompts/list', 'notifications/prompts/list_changed'],
  ['resourcesListChanged', 'resources', 'resources/list', 'notifications/resources/list_changed'],
] as const;

interface Filter {
  readonly lists: readonly string[];
  readonly resources: readonly string[];
}

/** One open subscription. */
interface Listener {
  readonly tokenId: string;
  readonly permitted: () => boolean;
  /** Compares the lists with those it last told of. */
  readonly compare: () => void;
  readonly end: (gracefully: boolean) => void;
}

export function createListeners(deps: ListenDeps): Listeners {
  const open = new Set<Listener>();
  const stopListening = deps.catalog.onChange(() => {
    for (const listener of [...open]) listener.compare();
  });
  const sweep = setInterval(() => {
    for (const listener of [...open]) if (!listener.permitted()) listener.end(true);
  }, SWEEP_MS).unref();
  return {
    open: async (exchange) => {
      const { tokenId } = exchange.principal;
      const filter = readFilter(exchange.request.params['notifications']);
      if ('code' in filter) return filter;
      const theirs = [...open].filter((listener) => listener.tokenId === tokenId).length;
      if (theirs >= MAX_OPEN_EACH)
        return tooMany(`you listen on ${MAX_OPEN_EACH} streams, the limit; close one`);
      if (open.size >= MAX_OPEN) return tooMany('too many clients listen; try again later');
      const view = deps.views(exchange.principal, exchange.scope);
      if (view === undefined)
        return { status: 200, code: CODES.refused, message: 'this address is not open to you any more' };
      return listen(deps, exchange, filter, view, open);
    },
    close: () => {
      stopListening();
      clearInterval(sweep);
      for (const listener of [...open]) listener.end(true);
    },
  };
}

async function listen(
  deps: ListenDeps,
  exchange: ListenExchange,
  filter: Filter,
  view: View,
  open: Set<Listener>,
): Promise<undefined> {
  const { principal, scope, request, signal } = exchange;
  const stamp = { [META.subscriptionId]: request.id };
  const tell = (method: string, params: JsonObject = {}): void => {
    const meta = isJsonObject(params['_meta']) ? params['_meta'] : {};
    exchange.notify(method, { ...params, _meta: { ...meta, ...stamp } });
  };
  const { capabilities } = deps.payloads(view);
  const lists = CHANGES.filter(
    ([key, name]) => filter.lists.includes(key) && isJsonObject(capabilities[name]),
  );
  const cleanUp: (() => void)[] = [];
  /** What comes before the acknowledgement waits for it. */
  let early: (() => void)[] | undefined = [];
  const announce = (method: string, params?: JsonObject): void => {
    if (early === undefined) tell(method, params);
    else early.push(() => tell(method, params));
  };
  const listChanged = (method: string): void => {
    if (lists.some(([, , , notification]) => notification === method)) announce(method);
  };
  let known = view.payloads;
  const listener: Listener = {
    tokenId: principal.tokenId,
    permitted: () => deps.holds(principal) && deps.views(principal, scope) !== undefined,
    compare: () => {
      const now = deps.holds(principal) ? deps.views(principal, scope)?.payloads : undefined;
      if (now === undefined) return listener.end(true);
      const changed = lists.filter(([, , list]) => differ(known, now, list));
      known = now;
      for (const [, , , notification] of changed) announce(notification);
    },
    end: (gracefully) => {
      if (!open.delete(listener)) return;
      signal.removeEventListener('abort', onAbort);
      for (const stop of cleanUp) stop();
      if (!gracefully) return;
      const result = { resultType: 'complete', _meta: stamp };
      exchange.finish(resultText(request.id, JSON.stringify(result)));
    },
  };
  const onAbort = (): void => listener.end(false);
  open.add(listener);
  signal.addEventListener('abort', onAbort, { once: true });

  const own = ownServer(exchange);
  const asked = request.envelope.clientCapabilities;
  const owner = own === undefined || !canBeAsked(asked) ? undefined : deps.ownerOf(exchange, own, asked);
  // The lists of a caller that can be asked are those of its own connection.
  if (owner !== undefined && lists.length > 0) cleanUp.push(deps.pool.first(owner).follow(listChanged));
  const updated = (method: string, params: JsonObject | undefined): void => {
    if (method === UPDATED && listener.permitted()) announce(method, params);
  };
  const resources = await follow(deps, exchange, filter.resources, view, updated, (stop) => {
    if (open.has(listener)) cleanUp.push(stop);
    else stop();
  });
  if (!open.has(listener)) return undefined;
  const honoured = {
    ...Object.fromEntries(lists.map(([key]) => [key, true])),
    ...(resources.length > 0 && { resourceSubscriptions: resources }),
  };
  tell('notifications/subscriptions/acknowledged', { notifications: honoured });
  for (const send of early) send();
  early = undefined;
  // Nothing will ever come.
  if (Object.keys(honoured).length === 0) listener.end(true);
  return undefined;
}

/** Subscribes to resources at their servers, through the pipeline as every call, and returns those that it could. */
async function follow(
  deps: ListenDeps,
  exchange: ListenExchange,
  uris: readonly string[],
  view: View,
  updated: (method: string, params: JsonObject | undefined) => void,
  onStop: (stop: () => void) => void,
): Promise<readonly string[]> {
  const { principal, request, traceId, requestBytes, signal } = exchange;
  const ways = new Map<string, Way | undefined>();
  const subscribed = await Promise.all(
    uris.map(async (uri) => {
      const serverId = view.resource(uri)?.serverId;
      if (serverId === undefined) return undefined;
      let way = ways.get(serverId);
      if (way === undefined) {
        ways.set(
          serverId,
          (way = wayTo(deps, exchange, serverId, (method, params) => {
            if (uris.includes(String(params?.['uri']))) updated(method, params);
          })),
        );
        if (way !== undefined) onStop(way.stop);
      }
      if (way === undefined) return undefined;
      const call: Call = {
        traceId,
        source: 'mcp',
        principal,
        target: { serverId, kind: 'resource', name: uri },
        method: 'resources/subscribe',
        params: { uri },
        signal,
        own: way.own,
        envelope: request.envelope,
        facts: newFacts(requestBytes),
      };
      const outcome = await deps.pipeline.run(call);
      if (!outcome.ok) return undefined;
      onStop(way.subscribed(uri));
      return uri;
    }),
  );
  return subscribed.filter((uri) => uri !== undefined);
}

/** How a server is subscribed at. */
interface Way {
  readonly own: OwnConnection;
  /** Counts a subscription; returns the way to end it. */
  readonly subscribed: (uri: string) => () => void;
  readonly stop: () => void;
}

function wayTo(
  deps: ListenDeps,
  exchange: ListenExchange,
  serverId: string,
  announce: Route['announce'],
): Way | undefined {
  const { resources } = deps.catalog.entry(serverId)?.status.declared ?? {};
  if (!isJsonObject(resources) || resources['subscribe'] !== true) return undefined;
  const capabilities = ownServer(exchange) === serverId ? exchange.request.envelope.clientCapabilities : {};
  const owner = deps.ownerOf(exchange, serverId, capabilities);
  if (owner === undefined) {
    const session = deps.modernSession(serverId, announce, exchange.principal);
    return { own: session.during(NOWHERE), subscribed: () => () => undefined, stop: session.close };
  }
  const pooled = deps.pool.first(owner);
  return {
    own: pooled.connection.during(NOWHERE),
    subscribed: (uri) => countSubscription(pooled, uri),
    stop: pooled.follow(announce),
  };
}

/** Several streams of a caller may follow one resource over one connection: the last to go ends the subscription. */
function countSubscription({ subscribed, connection }: PooledConnection, uri: string): () => void {
  subscribed.set(uri, (subscribed.get(uri) ?? 0) + 1);
  return () => {
    const left = (subscribed.get(uri) ?? 1) - 1;
    if (left > 0) subscribed.set(uri, left);
    else {
      subscribed.delete(uri);
      connection.unsubscribe(uri);
    }
  };
}

function readFilter(notifications: unknown): Filter | StatusError {
  if (!isJsonObject(notifications))
    return invalid('notifications must be an object that says what to listen to');
  const wrong = CHANGES.find(([key]) => !['boolean', 'undefined'].includes(typeof notifications[key]));
  if (wrong !== undefined) return invalid(`notifications.${wrong[0]} must be true or false`);
  const { resourceSubscriptions: uris = [] } = notifications;
  if (!Array.isArray(uris) || !uris.every((uri): uri is string => typeof uri === 'string'))
    return invalid('notifications.resourceSubscriptions must be a list of URIs');
  if (uris.some((uri) => uri.length > MAX_URI_CHARS))
    return invalid(
      `notifications.resourceSubscriptions names a resource in more than ${MAX_URI_CHARS} characters`,
    );
  if (uris.length > MAX_RESOURCES)
    return invalid(`notifications.resourceSubscriptions names over ${MAX_RESOURCES} resources, the limit`);
  const lists = CHANGES.map(([key]) => key).filter((key) => notifications[key] === true);
  return { lists, resources: [...new Set(uris)] };
}

function differ(known: View['payloads'], now: View['payloads'], list: ListMethod): boolean {
  if (known[list] !== now[list]) return true;
  const templates = 'resources/templates/list';
  return list === 'resources/list' && known[templates] !== now[templates];
}

function invalid(message: string): StatusError {
  return { status: 200, code: CODES.invalidParams, message };
}

function tooMany(message: string): StatusError {
  return { status: 429, code: CODES.refused, message };
}
