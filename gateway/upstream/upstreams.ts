import type { Config, ServerConfig } from '../config/schema.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Capabilities, ServerStatus } from '../registry/entry.ts';
import { fingerprint } from '../registry/fingerprint.ts';
import type { CatalogStore } from '../storage/contracts.ts';
import type { Log } from '../telemetry/log.ts';
import type { ClientDescription, Connection, ConnectionEvents } from './connection.ts';
import type { Dispatchers } from './dispatcher.ts';
import { UnavailableError } from './errors.ts';
import { buildLaunch, type LaunchContext } from './launch.ts';
import type { Approach } from './negotiation.ts';
import { connectOwnedHttp, type Connect } from './owned-http.ts';
import { createOwned } from './owned.ts';
import type { Reaper } from './reaper.ts';
import { connectSse } from './sse.ts';
import { connectStdio } from './stdio.ts';
import { connectHttp, type HttpDeps } from './streamable-http.ts';
import { Supervisor } from './supervisor.ts';

/** All connections to MCP servers, by server id (`group:server`). */
export interface Upstreams {
  /** Starts every server that is not disabled, in the background. */
  start(): void;
  snapshot(serverId: string): { readonly status: ServerStatus; readonly capabilities: Capabilities };
  /** Rejects with an `UnavailableError` that says why, also for a server that is disabled or unknown. */
  connected(serverId: string): Promise<Connection> | Connection;
  /**
   * Opens a further connection that its caller owns, with the given client capabilities: a process of its own
   * over stdio, a session of its own over HTTP. Rejects with an `UnavailableError` that says why.
   */
  open(
    serverId: string,
    capabilities: JsonObject,
    events: Omit<ConnectionEvents, 'onStderr' | 'onWarning'>,
  ): Promise<Connection>;
  refresh(): Promise<void>;
  /** Called when a server's state, or what it offers, changes. */
  onChange(listener: () => void): void;
  /** Ends every connection and every process. */
  close(): Promise<void>;
}

export interface UpstreamsDeps {
  readonly config: Config;
  readonly launch: LaunchContext;
  readonly dispatchers: Dispatchers;
  readonly reaper: Reaper;
  readonly gatewayVersion: string;
  /** What servers listed before this run, and where what they list is kept for the next. */
  readonly catalogStore: CatalogStore;
  readonly log: Log;
}

const DISABLED: { status: ServerStatus; capabilities: Capabilities } = {
  status: { state: 'stopped', lastError: 'disabled in the configuration', stderrTail: [], declared: {} },
  capabilities: { tools: [], resources: [], templates: [], prompts: [] },
};

export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const listeners: (() => void)[] = [];
  const supervisors = new Map<string, Supervisor>();
  const servers = new Map<string, ServerConfig>();
  const approaches = new Map<string, Approach>();
  const owned = createOwned();
  for (const group of deps.config.groups) {
    for (const server of group.servers) {
      if (server.disabled || server.virtual !== undefined) continue;
      const id = `${group.name}:${server.name}`;
      servers.set(id, server);
      const client = { version: deps.gatewayVersion, capabilities: {} };
      const print = fingerprint(server);
      const known = deps.catalogStore.find(id, print);
      const approach = { protocol: server.protocol, memory: { shyAt: known?.shyAt } };
      approaches.set(id, approach);
      supervisors.set(
        id,
        new Supervisor({
          connect: (events, signal) => connect(server, deps, { approach, client, events, signal }),
          connectTimeoutMs: server.timeouts.connect,
          log: deps.log.child({ server: id }),
          onChange: () => listeners.forEach((listener) => listener()),
          known,
          onListed: (listed) => deps.catalogStore.keep(id, print, listed),
        }),
      );
    }
  }
  const all = [...supervisors.values()];
  return {
    start: () => all.forEach((supervisor) => void supervisor.start()),
    snapshot: (id) => supervisors.get(id) ?? DISABLED,
    connected: (id) =>
      supervisors.get(id)?.connected() ?? Promise.reject(new UnavailableError('the server is disabled')),
    open: async (id, capabilities, events) => {
      const server = servers.get(id);
      const supervisor = supervisors.get(id);
      const approach = approaches.get(id);
      if (server === undefined || supervisor === undefined || approach === undefined)
        throw new UnavailableError('the server is disabled');
      // Of a server that listens on its own address there is one process, and the supervisor owns it.
      if (server.url !== undefined && server.command !== undefined) await supervisor.connected();
      const client = { version: deps.gatewayVersion, capabilities };
      const { connect: limit } = server.timeouts;
      const log = deps.log.child({ server: id });
      const told = {
        onStderr: (line: string): void => log.debug({ line }, 'stderr'),
        onWarning: (words: string): void => log.warn(words),
      };
      return owned.open({ ...events, ...told }, limit, (tracked, signal) =>
        server.url === undefined
          ? connect(server, deps, { approach, client, events: tracked, signal })
          : overHttp(server)(
              httpDeps(server, server.url, deps, { approach, client, events: tracked, signal }),
            ),
      );
    },
    refresh: async () => {
      await Promise.all(all.map((supervisor) => supervisor.refresh()));
    },
    onChange: (listener) => void listeners.push(listener),
    close: async () => {
      await Promise.all([owned.close(), ...all.map((supervisor) => supervisor.stop())]);
    },
  };
}

interface Attempt {
  readonly approach: Approach;
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  readonly signal: AbortSignal;
}

async function connect(server: ServerConfig, deps: UpstreamsDeps, attempt: Attempt): Promise<Connection> {
  const { reaper, launch } = deps;
  if (server.url === undefined) {
    return connectStdio({ ...attempt, reaper, launch: buildLaunch(server, launch) });
  }
  const http = httpDeps(server, server.url, deps, attempt);
  return server.command === undefined
    ? overHttp(server)(http)
    : connectOwnedHttp({ ...http, reaper, launch: buildLaunch(server, launch), connect: overHttp(server) });
}

function overHttp({ transport }: ServerConfig): Connect {
  return transport === 'sse' ? connectSse : connectHttp;
}

function httpDeps(server: ServerConfig, url: string, deps: UpstreamsDeps, attempt: Attempt): HttpDeps {
  const headers = server.auth.type === 'header' ? server.auth.headers : {};
  return {
    ...attempt,
    url: new URL(url),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, deps.launch.resolve(value)]),
    ),
    dispatcher: deps.dispatchers.for(server.allowPrivateAddress),
  };
}
