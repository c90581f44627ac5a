import { createHash } from 'node:crypto';
import { resolveWithin } from '../config/references.ts';
import type { Config, ServerConfig } from '../config/schema.ts';
import type { JsonObject } from '../contract/json.ts';
import type { ListingSearch } from '../guardrails/listing-search.ts';
import type { Capabilities, ServerStatus } from '../registry/entry.ts';
import type { ManagedLists } from '../registry/managed.ts';
import type { Pinned } from '../registry/pin.ts';
import { pinnedOf, type Pins } from '../registry/pins.ts';
import type { CatalogStore } from '../storage/contracts.ts';
import type { Log } from '../telemetry/log.ts';
import { connectServer, connectSession, type ConnectDeps } from './connect.ts';
import type { ClientDescription, Connection, ConnectionEvents } from './connection.ts';
import { discover, NOTHING, type Discovery } from './discover.ts';
import { UnavailableError } from './errors.ts';
import { ownCredentials, type CredentialSources, type OwnCredentials } from './own-credentials.ts';
import { createIsolated, type Caller } from './isolation.ts';
import { createOwned } from './owned.ts';
import { probe, type Probed, type ProbeOptions } from './probe.ts';
import { PROCESS_RESTARTS } from './restarts.ts';
import { Supervisor, type SupervisorDeps } from './supervisor.ts';

/** All connections to MCP servers, by server id (`group:server`). */
export interface Upstreams {
  /** Starts every server that is not disabled, in the background. */
  start(): void;
  /**
   * Follows a changed configuration: servers that are gone, disabled or reached otherwise end, those that are new
   * start, and all others keep their connections and processes. With `only`, no other server that runs is looked at.
   */
  apply(config: Config, only?: ReadonlySet<string>): void;
  snapshot(serverId: string): { readonly status: ServerStatus; readonly capabilities: Capabilities };
  /**
   * The connection for calls of `caller`: the one that all share, unless the server's processes are kept apart.
   * Rejects with an `UnavailableError` that says why, also for a server that is disabled or unknown.
   */
  connected(serverId: string, caller?: Caller): Promise<Connection> | Connection;
  /**
   * Opens a further connection that its caller owns, with the given client capabilities: a process of its own
   * over stdio, a session of its own over HTTP. `subject` is whose it is. Rejects with an `UnavailableError` that says why.
   */
  open(
    serverId: string,
    capabilities: JsonObject,
    events: Omit<ConnectionEvents, 'onStderr' | 'onWarning'>,
    subject: string,
  ): Promise<Connection>;
  /**
   * Lists what a server offers on a connection of `open`, to a client of the same capabilities, and records it for
   * review. Never rejects: what cannot be listed is empty, and what cannot be recorded will not be shown.
   */
  list(
    serverId: string,
    connection: Connection,
    capabilities: JsonObject,
    signal: AbortSignal,
  ): Promise<Capabilities>;
  /**
   * Connects to a server that is not registered, lists what it offers and lets go of it. Rejects when it cannot be
   * reached. `resolve` gives references their values.
   */
  probe(server: ServerConfig, by: ProbeOptions): Promise<Probed>;
  refresh(): Promise<void>;
  /** Says that a server's lists are being looked at: those that are not fresh any more are read again, for later. */
  looked(serverId: string): void;
  /** Called when a server's state, or what it offers, changes. */
  onChange(listener: () => void): void;
  /** Ends every connection and every process. */
  close(): Promise<void>;
}

export interface UpstreamsDeps extends ConnectDeps, CredentialSources {
  readonly config: Config;
  /** What servers listed before this run, and where what they list is kept for the next. */
  readonly catalogStore: CatalogStore;
  readonly pins: Pick<Pins, 'record' | 'knows'>;
  readonly listings: Pick<ListingSearch, 'resources'>;
  readonly managed: ManagedLists;
  readonly log: Log;
}

/** How a server is that does not run, and why it does not. */
function stopped(lastError: string): { readonly status: ServerStatus; readonly capabilities: Capabilities } {
  return { status: { state: 'stopped', lastError, stderrTail: [], declared: {} }, capabilities: NOTHING };
}
const DISABLED = 'disabled in the configuration';

export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const listeners: (() => void)[] = [];
  const registered = new Map<string, Registered>();
  const leaving = new Set<Promise<void>>();
  let started = false;
  let modes: ReadonlyMap<string, Pinned['mode']> = new Map();
  const changed = (): void => listeners.forEach((listener) => listener());

  const retire = (one: Registered): Promise<void> => {
    const gone = one.retire().finally(() => leaving.delete(gone));
    leaving.add(gone);
    return gone;
  };
  let objections: ReadonlyMap<string, string> = new Map();
  const absent = (id: string): Promise<never> =>
    Promise.reject(new UnavailableError(objections.get(id) ?? 'the server is disabled'));
  const objectionTo = (server: ServerConfig): string | undefined =>
    deps.managed.objection(server.name, server, deps.launch.resolve);
  const apply = (config: Config, only?: ReadonlySet<string>): void => {
    const wanted = enabledServers(config);
    objections = new Map(
      [...wanted].flatMap(([id, { server }]) => {
        const objection = objectionTo(server);
        return objection === undefined ? [] : [[id, objection] as const];
      }),
    );
    for (const id of objections.keys()) wanted.delete(id);
    modes = new Map([...wanted].map(([id, { pinned }]) => [id, pinned.mode]));
    const retired = new Map<string, Promise<void>>();
    for (const [id, one] of registered) {
      if (only?.has(id) === false) continue;
      const found = wanted.get(id);
      const { server, pinned } = found ?? {};
      if (
        server !== undefined &&
        pinned !== undefined &&
        connectionOf(server, deps, pinned) === one.connection
      )
        continue;
      registered.delete(id);
      retired.set(id, retire(one));
    }
    for (const [id, { server, pinned }] of wanted) {
      if (registered.has(id)) continue;
      const pinnedNow = (): Pinned => ({ ...pinned, mode: modes.get(id) ?? 'review' });
      const one = register({ server, pinned: pinnedNow }, deps, changed, retired.get(id));
      registered.set(id, one);
      if (started) void one.supervisor.start();
    }
  };
  apply(deps.config);

  return {
    start: () => {
      started = true;
      for (const { supervisor } of registered.values()) void supervisor.start();
    },
    apply: (config, only) => {
      apply(config, only);
      changed();
    },
    snapshot: (id) => registered.get(id)?.supervisor ?? stopped(objections.get(id) ?? DISABLED),
    connected: (id, caller) => registered.get(id)?.connected(caller) ?? absent(id),
    open: (id, capabilities, events, subject) =>
      registered.get(id)?.open(capabilities, events, subject) ?? absent(id),
    list: async (id, connection, clientCapabilities, signal) => {
      const { capabilities, listed } = await discover(connection, signal);
      const pinned = registered.get(id)?.pinned();
      if (pinned !== undefined) {
        await deps.pins
          .record(pinned, { clientCapabilities, capabilities, listed })
          .catch((error: unknown) =>
            deps.log.error({ err: error, server: id }, 'a listing could not be recorded for review'),
          );
      }
      return capabilities;
    },
    probe: async (server, by) => {
      const objection = objectionTo(server);
      if (objection !== undefined) throw new UnavailableError(objection);
      return probe(server, deps, by);
    },
    refresh: async () => {
      await Promise.all([...registered.values()].map(({ supervisor }) => supervisor.refresh()));
    },
    looked: (id) => registered.get(id)?.supervisor.looked(),
    onChange: (listener) => void listeners.push(listener),
    close: async () => {
      await Promise.all([...leaving, ...[...registered.values()].map((one) => one.retire())]);
    },
  };
}

interface Registration {
  readonly server: ServerConfig;
  /** Whether its changes are trusted may change while it runs. */
  readonly pinned: () => Pinned;
}

/** A server that is to run, and its connections. */
interface Registered extends Registration {
  /** What tells how it is connected to from any other way. */
  readonly connection: string;
  readonly supervisor: Supervisor;
  connected(caller: Caller | undefined): Promise<Connection> | Connection;
  open(
    capabilities: JsonObject,
    events: Omit<ConnectionEvents, 'onStderr' | 'onWarning'>,
    subject: string,
  ): Promise<Connection>;
  /** Ends its connections and its process. */
  retire(): Promise<void>;
}

/** `former` is the end of the server that had the id before: the new one starts after it. */
function register(
  { server, pinned }: Registration,
  deps: UpstreamsDeps,
  onChange: () => void,
  former: Promise<void> | undefined,
): Registered {
  const { id, fingerprint } = pinned();
  // Without pins nothing of it could be shown, and nobody would wait for the server to list it.
  const known = deps.pins.knows(pinned()) ? deps.catalogStore.find(id, fingerprint) : undefined;
  const approach = { protocol: server.protocol, memory: { shyAt: known?.shyAt } };
  const log = deps.log.child({ server: id });
  const owned = createOwned();
  const clientWith = (capabilities: JsonObject): ClientDescription => ({
    version: deps.gatewayVersion,
    capabilities,
  });
  const own = ownCredentials(server, deps, pinned());
  const lister = (): ConnectDeps => {
    if (own === undefined) return deps;
    const [first] = own.holders();
    if (first !== undefined) return own.depsOf(first);
    throw own.missing();
  };
  const supervised = {
    ...supervision(server),
    connect: async (events: ConnectionEvents, signal: AbortSignal) => {
      await former;
      return connectServer(server, lister(), { approach, client: clientWith({}), events, signal });
    },
    connectTimeoutMs: server.timeouts.connect,
    log,
    record: ({ capabilities, listed }: Discovery, text: string | undefined) =>
      deps.pins.record(pinned(), { clientCapabilities: {}, capabilities, listed, instructions: { text } }),
  };
  const supervisor = new Supervisor({
    ...supervised,
    onChange,
    known,
    search: ({ resources, templates }) => deps.listings.resources([...resources, ...templates]),
    onListed: (listed) => deps.catalogStore.keep(id, fingerprint, listed),
  });
  const { isolation = 'shared' } = server.process ?? {};
  const isolated =
    isolation === 'shared' && own?.apart !== true
      ? undefined
      : createIsolated({
          isolation: isolation === 'session' ? 'session' : 'user',
          signature: ({ subject }) => (own === undefined ? '' : own.signature(subject)),
          supervise: ({ subject }, onOwnChange) => {
            const connect = async (events: ConnectionEvents, signal: AbortSignal): Promise<Connection> => {
              await former;
              const attempt = { approach, client: clientWith({}), events, signal };
              return connectServer(server, own?.depsOf(subject) ?? deps, attempt);
            };
            const idle = own === undefined ? {} : { idleStopMs: supervised.idleStopMs ?? IDLE_STOP_MS };
            const supervisor: Supervisor = new Supervisor({
              ...supervised,
              ...idle,
              connect,
              onChange: () => onOwnChange(supervisor),
            });
            return supervisor;
          },
        });
  return {
    connection: connectionOf(server, deps, pinned()),
    server,
    pinned,
    supervisor,
    connected: (caller) => {
      if (isolated !== undefined) return isolated.connected(caller);
      const missing = own && caller && missingOf(own, caller.subject);
      return missing === undefined ? supervisor.connected() : Promise.reject(missing);
    },
    open: async (capabilities, events, subject) => {
      own?.signature(subject);
      const mine = own?.depsOf(subject) ?? deps;
      // Of a server that listens on its own address there is one process, and the supervisor owns it.
      if (server.url !== undefined && server.command !== undefined) await supervisor.connected();
      const client = clientWith(capabilities);
      const told = {
        onStderr: (line: string): void => log.debug({ line }, 'stderr'),
        onWarning: (words: string): void => log.warn(words),
      };
      return owned.open({ ...events, ...told }, server.timeouts.connect, async (tracked, signal) => {
        const attempt = { approach, client, events: tracked, signal };
        return server.url === undefined
          ? connectServer(server, mine, attempt)
          : supervisor.counted(await connectSession(server, server.url, mine, attempt));
      });
    },
    retire: async () => {
      await Promise.all([owned.close(), isolated?.stop(), supervisor.stop()]);
    },
  };
}

/** What is missing before a server is asked: the supervisor would only know that it could not connect. */
function missingOf(own: OwnCredentials, subject: string): Error | undefined {
  try {
    own.signature(subject);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

const IDLE_STOP_MS = 10 * 60_000;

/** How a server's process is kept; one that is not ours is only connected to. */
function supervision({
  command,
  process: own = { isolation: 'shared' },
}: ServerConfig): Pick<SupervisorDeps, 'onDemand' | 'idleStopMs' | 'restarts'> {
  if (command === undefined) return {};
  const { start, idleStop = start === 'always' ? 'never' : IDLE_STOP_MS } = own;
  return {
    onDemand: start === 'on-demand',
    idleStopMs: idleStop === 'never' ? undefined : idleStop,
    restarts: PROCESS_RESTARTS,
  };
}

function enabledServers(
  config: Config,
): Map<string, { readonly server: ServerConfig; readonly pinned: Pinned }> {
  return new Map(
    config.groups.flatMap((group) =>
      group.servers
        .filter(({ disabled, virtual }) => !disabled && virtual === undefined)
        .map(
          (server) => [`${group.name}:${server.name}`, { server, pinned: pinnedOf(group, server) }] as const,
        ),
    ),
  );
}

/** What of a registration its connections depend on: where only the rest changes, they stay. */
function connectionOf(server: ServerConfig, deps: UpstreamsDeps, pinned: Pinned): string {
  const { description: _d, tags: _t, tools: _r, unlistedTools: _u, pins: _p, access: _a, ...rest } = server;
  const own = ownCredentials(server, deps, pinned);
  const [lister] = own?.holders() ?? [];
  const listedWith = lister === undefined ? null : own?.signature(lister);
  const values = Object.values(rest).map((value) => JSON.stringify(valueOf(value, deps.launch.resolve)));
  // Secrets are compared, and not kept.
  return createHash('sha256')
    .update(JSON.stringify([rest, values, listedWith]))
    .digest('hex');
}

/** A reference without a value is told where the server is connected to. */
function valueOf(value: unknown, resolve: (text: string) => string): unknown {
  try {
    return resolveWithin(value, resolve);
  } catch {
    return value;
  }
}
