import type { JsonObject } from '../../contract/json.ts';
import type { Principal } from '../../identity/principal.ts';
import type { Catalog } from '../../registry/catalog.ts';
import type { Offered } from '../../registry/entry.ts';
import { JsonRpcError, UnavailableError } from '../../upstream/errors.ts';
import { CODES } from '../jsonrpc.ts';
import { askable, type Route } from '../relay.ts';
import type { SessionConnection, SessionConnections } from '../session-connection.ts';
import type { ParkedCall } from './parking.ts';

/**
 * A connection to a legacy server for the calls of one caller that can be asked the same things. A modern client
 * has no session to tie it to, so it is kept while it is used, and for a while after.
 */
export interface PooledConnection {
  readonly connection: SessionConnection;
  /** What the server offers on it; undefined when it cannot be reached. */
  offered(): Promise<Offered | undefined> | Offered;
  /** Keeps the connection for a call that is yet to begin; returns the way to let go. */
  hold(): () => void;
  /** Counts a call as under way, until it is over; what the server does not attribute goes to the newest. */
  carry(call: ParkedCall): void;
  /** The level of the connection's log messages, by its place among the levels; undefined when none was set. */
  logLevel: number | undefined;
  /** How many follow each resource that is subscribed to. */
  readonly subscribed: Map<string, number>;
  /** Takes what the server announces, and keeps the connection; returns the way to stop. */
  follow(listener: Follower): () => void;
}

export type Follower = (method: string, params: JsonObject | undefined) => void;

/** Whose connection to which server. */
export interface Owner {
  readonly principal: Principal;
  readonly serverId: string;
  readonly capabilities: JsonObject;
  /** False once the token does not hold any more, or the address is closed to it. */
  readonly permitted: () => boolean;
}

export interface ConnectionPool {
  /** A connection for one more call, to be held at once. Throws an `UnavailableError` when the caller holds too many. */
  forCall(owner: Owner): PooledConnection;
  /** Whether a caller follows what a server announces on such a connection: its calls then go there too. */
  followed(owner: Owner): boolean;
  /** The connection that a parked call is on. */
  carrier(call: ParkedCall): PooledConnection | undefined;
  /** The connection whose lists and announcements the caller sees. */
  first(owner: Owner): PooledConnection;
  close(): void;
}

/**
 * Over one pipe nobody can tell which call a question is about, so calls that overlap have a connection each while
 * there is room for one; beyond that they share, and a question goes to the newest.
 */
const MAX_EACH = 16;
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 30_000;

interface Pooled extends PooledConnection {
  readonly key: string;
  readonly owner: Owner;
  readonly calls: ReadonlySet<ParkedCall>;
  /** How many calls it has, or is to have. */
  readonly load: () => number;
  readonly followed: () => boolean;
  readonly idle: () => boolean;
  lastUsed: number;
}

export function createConnectionPool(deps: {
  readonly connections: SessionConnections;
  readonly catalog: Pick<Catalog, 'entry'>;
  readonly now: () => number;
}): ConnectionPool {
  const { connections, catalog, now } = deps;
  let pooled: readonly Pooled[] = [];
  const drop = (gone: readonly Pooled[]): void => {
    pooled = pooled.filter((one) => !gone.includes(one));
    for (const { connection } of gone) connection.close();
  };
  const sweep = setInterval(() => {
    const stale = (one: Pooled): boolean => one.idle() && now() - one.lastUsed > IDLE_MS;
    drop(pooled.filter((one) => stale(one) || !one.owner.permitted()));
  }, SWEEP_MS).unref();
  const alike = (owner: Owner): readonly Pooled[] => {
    const key = keyOf(owner);
    return pooled.filter((one) => one.key === key);
  };
  /** Makes room for one more connection of the caller's; false when all are in use. */
  const makeRoom = ({ principal }: Owner): boolean => {
    const theirs = pooled.filter((one) => one.owner.principal.tokenId === principal.tokenId);
    if (theirs.length < MAX_EACH) return true;
    const [idle] = theirs.filter((one) => one.idle()).toSorted((a, b) => a.lastUsed - b.lastUsed);
    if (idle !== undefined) drop([idle]);
    return idle !== undefined;
  };
  const add = (owner: Owner): Pooled => {
    if (!makeRoom(owner))
      throw new UnavailableError(`you use ${MAX_EACH} connections of your own, the limit; end some calls`);
    const one = open(owner, connections, now);
    pooled = [...pooled, one];
    return one;
  };
  /** Each stream of Streamable HTTP belongs to one request, so one connection does for all calls. */
  const attributes = (serverId: string): boolean => {
    const config = catalog.entry(serverId)?.config;
    return config?.url !== undefined && config.transport !== 'sse';
  };
  const used = (one: Pooled): Pooled => {
    one.lastUsed = now();
    return one;
  };
  return {
    forCall: (owner) => {
      const [first] = alike(owner).toSorted((a, b) => a.load() - b.load());
      if (first === undefined) return add(owner);
      const free = first.load() === 0 || attributes(owner.serverId) || !makeRoom(owner);
      return free ? used(first) : add(owner);
    },
    followed: (owner) => alike(owner).some((one) => one.followed()),
    carrier: (call) => pooled.find(({ calls }) => calls.has(call)),
    first: (owner) => used(alike(owner)[0] ?? add(owner)),
    close: () => {
      clearInterval(sweep);
      drop(pooled);
    },
  };
}

/** Capabilities in the order in which they are written: a client that writes them in another only connects twice. */
function keyOf({ principal, serverId, capabilities }: Owner): string {
  return JSON.stringify([principal.tokenId, serverId, askable(capabilities)]);
}

function open(owner: Owner, connections: SessionConnections, now: () => number): Pooled {
  const calls = new Set<ParkedCall>();
  const followers = new Set<Follower>();
  let held = 0;
  const newest = (): ParkedCall | undefined =>
    [...calls].findLast(({ attended }) => attended) ?? [...calls].at(-1);
  const route: Route = {
    deliver: (method, params) => newest()?.route.deliver(method, params),
    announce: (method, params) => {
      for (const follower of followers) follower(method, params);
    },
    ask: (method, params, signal) =>
      newest()?.route.ask(method, params, signal) ??
      Promise.reject(new JsonRpcError(CODES.refused, 'no request of the client is under way')),
  };
  const { serverId, capabilities, permitted } = owner;
  const connection = connections.create(serverId, {
    principal: owner.principal,
    capabilities,
    permitted,
    route,
    waiting: () => false,
  });
  const one: Pooled = {
    key: keyOf(owner),
    owner,
    calls,
    connection,
    logLevel: undefined,
    subscribed: new Map(),
    lastUsed: now(),
    followed: () => followers.size > 0,
    load: () => held + calls.size,
    idle: () => held === 0 && calls.size === 0 && followers.size === 0,
    hold: () => {
      held++;
      return () => {
        held--;
      };
    },
    offered: () => connection.offered(),
    carry: (call) => {
      calls.add(call);
      void call.over.then(() => {
        calls.delete(call);
        one.lastUsed = now();
      });
    },
    follow: (listener) => {
      followers.add(listener);
      return () => {
        followers.delete(listener);
        one.lastUsed = now();
      };
    },
  };
  return one;
}
