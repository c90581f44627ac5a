import type { JsonObject } from '../contract/json.ts';
import type { LookAside } from '../pipeline/asides.ts';
import type { OwnConnection, Requests } from '../pipeline/call.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Capabilities, Listed, Offered } from '../registry/entry.ts';
import { capabilitySignature } from '../registry/pins.ts';
import type { Connection, ConnectionEvents } from '../upstream/connection.ts';
import { UnavailableError } from '../upstream/errors.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { askable, createRelay, watched, type Reached, type Route } from './relay.ts';
import { createSettings } from './session-settings.ts';

/**
 * A session's own connection to the server at its address. What a server asks, logs or announces can only be
 * told apart by the connection it comes on, so a client that can be asked gets one to itself. It is opened when
 * first used, opened again after a loss with the session's log level and subscriptions restored, and closed with
 * the session.
 */
export interface SessionConnection {
  /**
   * What the server offers on this connection: some of it may be for clients that can be asked. Undefined when
   * the server cannot be reached.
   */
  offered(): Promise<Offered | undefined> | Offered;
  /** The connection for one request; the route takes what the server sends about it. */
  during(route: Route): OwnConnection;
  /** Passes a client's notification on, if the connection is open. */
  notify(method: string, params: JsonObject): void;
  /** Ends a subscription, at the server too if the connection is open. */
  unsubscribe(uri: string): void;
  close(): void;
}

export interface SessionConnections {
  /** Resolves when a server has answered, or has failed to: its era is known then, where it can be. */
  answered(serverId: string): Promise<void>;
  create(serverId: string, session: Reached): SessionConnection;
}

/** The most connections that sessions may hold for themselves; an idle one makes room. */
const MAX_OPEN = 128;
/** A connection that failed is not tried again sooner than this. */
const RETRY_FLOOR_MS = 1_000;
const LIST_TIMEOUT_MS = 30_000;
const RELIST_DELAY_MS = 50;

export function createSessionConnections(deps: {
  readonly upstreams: Upstreams;
  /** Judges and shapes what a server lists to a session as it does the rest. */
  readonly catalog: Pick<Catalog, 'offered' | 'onChange'>;
  /** Shows guardrails what a server says to a session, and what it is answered. */
  readonly lookAside: LookAside;
  readonly now: () => number;
}): SessionConnections {
  const open = new Set<OpenConnection>();
  const makeRoom = (): void => {
    if (open.size < MAX_OPEN) return;
    const [idle] = [...open].filter((one) => one.busy() === 0).sort((a, b) => a.lastUsed() - b.lastUsed());
    if (idle === undefined)
      throw new UnavailableError(`sessions hold ${MAX_OPEN} connections of their own, the limit; end some`);
    idle.release();
  };
  return {
    answered: async (serverId) => {
      try {
        await deps.upstreams.connected(serverId);
      } catch {
        // Whoever calls it is told.
      }
    },
    create: (serverId, session) => connectLazily(serverId, session, { ...deps, open, makeRoom }),
  };
}

interface OpenConnection {
  busy(): number;
  lastUsed(): number;
  release(): void;
}

interface Pool {
  readonly upstreams: Upstreams;
  readonly catalog: Pick<Catalog, 'offered' | 'onChange'>;
  readonly lookAside: LookAside;
  readonly now: () => number;
  readonly open: Set<OpenConnection>;
  readonly makeRoom: () => void;
}

/** An open connection and what the server lists on it. */
interface Open {
  readonly connection: Connection;
  listed: Capabilities;
}

function connectLazily(serverId: string, session: Reached, pool: Pool): SessionConnection {
  const settings = createSettings();
  let current: Open | undefined;
  let opening: Promise<Open> | undefined;
  let failure: { readonly at: number; readonly error: unknown } | undefined;
  let closed = false;
  let busy = 0;
  let lastUsed = pool.now();
  const client = askable(session.capabilities);
  const list = (connection: Connection): Promise<Capabilities> =>
    pool.upstreams.list(serverId, connection, client, AbortSignal.timeout(LIST_TIMEOUT_MS));
  const signature = capabilitySignature(client);
  const shown = ({ listed }: Open): Offered => pool.catalog.offered(serverId, listed, signature);

  const relist = createRelist(async (methods) => {
    const used = current;
    if (used === undefined) return;
    used.listed = await list(used.connection);
    announced = shown(used);
    if (!session.permitted()) return;
    for (const method of methods) session.route.announce(method);
  });
  // What the server lists may come to be shown, or not any more, without its doing.
  let announced: Offered | undefined;
  const stopListening = pool.catalog.onChange(() => {
    if (current === undefined || announced === undefined) return;
    const [told, now] = [announced, shown(current)];
    announced = now;
    if (!session.permitted()) return;
    for (const list of ['tools', 'prompts'] as const)
      if (!isSameList(told.capabilities[list], now.capabilities[list]))
        session.route.announce(`notifications/${list}/list_changed`);
  });
  const carry = createRelay(session, relist.soon);
  const guarded = (route: Route): Route => watched(route, () => pool.lookAside(session.principal, serverId));
  const release = (): void => {
    relist.cancel();
    pool.open.delete(slot);
    void current?.connection.close();
    current = undefined;
  };
  const slot: OpenConnection = { busy: () => busy, lastUsed: () => lastUsed, release };
  const start = async (): Promise<Open> => {
    pool.makeRoom();
    pool.open.add(slot);
    let lost: string | undefined;
    const events: Omit<ConnectionEvents, 'onStderr' | 'onWarning'> = {
      ...carry(guarded(session.route)),
      onLost: (reason) => {
        lost = reason;
        pool.open.delete(slot);
        current = undefined;
      },
      onRenewed: () => {
        if (current === undefined) return;
        void settings.restore(current.connection);
        relist.soon('notifications/tools/list_changed');
      },
    };
    try {
      const connection = await pool.upstreams.open(serverId, client, events, session.principal.subject);
      const [listed] = await Promise.all([list(connection), settings.restore(connection)]);
      if (lost !== undefined) throw new UnavailableError(lost);
      if (closed) {
        void connection.close();
        throw new UnavailableError('the session has ended');
      }
      current = { connection, listed };
      announced = shown(current);
      return current;
    } catch (error) {
      pool.open.delete(slot);
      failure = { at: pool.now(), error };
      throw error;
    }
  };
  const connected = async (): Promise<Open> => {
    if (current !== undefined) return current;
    if (closed) throw new UnavailableError('the session has ended');
    if (failure !== undefined && pool.now() - failure.at < RETRY_FLOOR_MS) throw failure.error;
    return (opening ??= start().finally(() => (opening = undefined)));
  };
  const using = async <T>(work: (open: Open) => Promise<T>): Promise<T> => {
    busy++;
    try {
      return await work(await connected());
    } finally {
      busy--;
      lastUsed = pool.now();
    }
  };
  return {
    offered: () =>
      current === undefined
        ? using((open) => Promise.resolve(shown(open))).catch(() => undefined)
        : shown(current),
    during: (route) => {
      const requests: Requests = {
        request: (method, params, options) =>
          using(async ({ connection }) => {
            settings.admit(method, params);
            const way = guarded(route);
            const result = await connection.request(method, params, { ...options, related: carry(way) });
            await way.settled?.();
            settings.note(method, params);
            return result;
          }),
      };
      return {
        waiting: session.waiting,
        offered: () => current && shown(current),
        ready: () => (current === undefined ? using(() => Promise.resolve(requests)) : requests),
      };
    },
    unsubscribe: (uri) => {
      const [method, params] = ['resources/unsubscribe', { uri }] as const;
      settings.note(method, params);
      const signal = AbortSignal.timeout(LIST_TIMEOUT_MS);
      void current?.connection.request(method, params, { signal }).catch(() => undefined);
    },
    notify: (method, params) => void current?.connection.notify(method, params).catch(() => undefined),
    close: () => {
      closed = true;
      stopListening();
      release();
    },
  };
}

function isSameList(one: readonly Listed[], other: readonly Listed[]): boolean {
  return one.length === other.length && one.every((item, at) => item === other[at]);
}

/** Gathers the news of one moment: servers often announce several changes at once. */
function createRelist(work: (methods: ReadonlySet<string>) => Promise<void>): {
  readonly soon: (method: string) => void;
  readonly cancel: () => void;
} {
  let methods = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  return {
    soon: (method) => {
      methods.add(method);
      timer ??= setTimeout(() => {
        timer = undefined;
        const gathered = methods;
        methods = new Set();
        void work(gathered);
      }, RELIST_DELAY_MS).unref();
    },
    cancel: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
