import type { Decide } from '../access/decide.ts';
import type { Config } from '../config/schema.ts';
import type { Principal } from '../identity/principal.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { Directory } from './directory.ts';
import type { Capabilities, Offered, ServerEntry, ServerStatus } from './entry.ts';
import { resolveServer } from './names.ts';
import { createShaper } from './shape.ts';

/** For how long after the start a listing waits for servers that have not answered or failed yet. */
const SETTLE_MS = 5_000;

/** The one catalog: every registered server with what it offers and how it is. */
export interface Catalog extends Directory {
  /** Every server, for the gateway's own use; callers of the gateway see `servers`. */
  entries(): readonly ServerEntry[];
  entry(serverId: string): ServerEntry | undefined;
  /** What a server listed, as it is shown by its rules: the one way from the one to the other. */
  offered(serverId: string, listed: Capabilities): Offered;
  /** Rises with every change. */
  revision(): number;
  /** Returns the way to stop listening. */
  onChange(listener: (revision: number) => void): () => void;
}

export function createCatalog(deps: {
  readonly config: Config;
  readonly upstreams: Upstreams;
  readonly decide: Decide;
}): Catalog {
  const { config, upstreams, decide } = deps;
  const tenants = [config.tenant.name, ...config.tenant.aliases];
  const listeners = new Set<(revision: number) => void>();
  const settleUntil = performance.now() + SETTLE_MS;
  let revision = 1;
  const offered = createOffered(config);
  let entries = build(config, upstreams, offered);
  let byId = new Map(entries.map((entry) => [entry.id, entry]));

  upstreams.onChange(() => {
    entries = build(config, upstreams, offered);
    byId = new Map(entries.map((entry) => [entry.id, entry]));
    revision++;
    for (const listener of listeners) listener(revision);
  });
  const onChange = (listener: (revision: number) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const visible = (principal: Principal): readonly ServerEntry[] =>
    entries.filter((entry) => decide(principal, { action: 'see', serverId: entry.id }).effect === 'allow');

  return {
    entries: () => entries,
    entry: (id) => byId.get(id),
    offered,
    revision: () => revision,
    onChange,
    settled: (serverIds, options) => {
      const waiting = (): boolean =>
        entries.some(
          ({ id, status }) =>
            (serverIds === undefined || serverIds.includes(id)) &&
            isAwaited(status, options?.afresh === true),
        );
      return settled(waiting, onChange, settleUntil);
    },
    servers: visible,
    server: (principal, name) => {
      const found = resolveServer(name, visible(principal), tenants);
      return found.length === 1 ? found[0] : undefined;
    },
    tools: (principal, { id, tools }) =>
      [...tools.values()]
        .filter((tool) => decide(principal, { action: 'use', serverId: id, tool }).effect === 'allow')
        .map(({ shown }) => shown),
  };
}

/** Shapes what is listed once; what was listed before is known by its identity. */
function createOffered(config: Config): Catalog['offered'] {
  const shapers = new Map(
    config.groups.flatMap((group) =>
      group.servers.map((server) => [`${group.name}:${server.name}`, createShaper(server.tools)]),
    ),
  );
  const known = new WeakMap<Capabilities, Map<string, Offered>>();
  return (serverId, listed) => {
    let byServer = known.get(listed);
    if (byServer === undefined) known.set(listed, (byServer = new Map<string, Offered>()));
    let found = byServer.get(serverId);
    if (found === undefined) {
      const shown = shapers.get(serverId)?.(listed.tools) ?? { tools: new Map(), warnings: [] };
      const tools = [...shown.tools.values()].map((tool) => tool.shown);
      byServer.set(serverId, (found = { ...shown, capabilities: { ...listed, tools } }));
    }
    return found;
  };
}

function build(config: Config, upstreams: Upstreams, offered: Catalog['offered']): readonly ServerEntry[] {
  return config.groups.flatMap((group) =>
    group.servers.map((server) => {
      const id = `${group.name}:${server.name}`;
      const { status, capabilities } = upstreams.snapshot(id);
      return {
        id,
        fqn: `${config.tenant.name}:${id}`,
        group: group.name,
        name: server.name,
        config: server,
        status,
        ...offered(id, capabilities),
      };
    }),
  );
}

/** Whether a server has yet to come through its first start, and nothing is known of it that would do. */
function isAwaited({ state, lastError, listedAt }: ServerStatus, afresh: boolean): boolean {
  const first = (state === 'starting' || state === 'configured') && lastError === undefined;
  return first && (afresh || listedAt === undefined);
}

/** Resolves when nothing is waited for any more, or when `until` has come. */
function settled(
  waiting: () => boolean,
  onChange: (listener: () => void) => () => void,
  until: number,
): Promise<void> {
  const left = until - performance.now();
  if (left <= 0 || !waiting()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(done, left);
    const stop = onChange(() => {
      if (!waiting()) done();
    });
  });
}
