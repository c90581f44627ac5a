import type { Decide } from '../access/decide.ts';
import type { Config } from '../config/schema.ts';
import type { Principal } from '../identity/principal.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { reveal } from '../guardrails/detect/hidden-text.ts';
import type { ListingSearch } from '../guardrails/listing-search.ts';
import type { Directory } from './directory.ts';
import type { ServerEntry, ServerStatus } from './entry.ts';
import { resolveServer } from './names.ts';
import { createOffered, type ToOffered } from './offered.ts';
import { pinnedOf, quarantineReason, type Pins } from './pins.ts';
import type { Resolve } from './shape.ts';
import { createVirtual, type VirtualServer } from './virtual.ts';

/** For how long after the start a listing waits for servers that have not answered or failed yet. */
const SETTLE_MS = 5_000;

/** The one catalog: every registered server with what it offers and how it is. */
export interface Catalog extends Directory {
  /** Every server, for the gateway's own use; callers of the gateway see `servers`. */
  entries(): readonly ServerEntry[];
  entry(serverId: string): ServerEntry | undefined;
  readonly offered: ToOffered;
  /** An entry, without its resources and prompts where the principal may use none of them. */
  narrowed(principal: Principal, entry: ServerEntry): ServerEntry;
  /** Rises with every change. */
  revision(): number;
  /** Returns the way to stop listening. */
  onChange(listener: (revision: number) => void): () => void;
}

/** What the catalog asks of the pins. */
export type CatalogPins = Pick<Pins, 'judge' | 'instructions' | 'find' | 'onChange'>;

export interface CatalogDeps {
  /** The configuration as it is now. */
  readonly config: () => Config;
  readonly upstreams: Upstreams;
  readonly pins: CatalogPins;
  /** Knows what may be shown of what nobody reviews. */
  readonly listings: Pick<ListingSearch, 'shown'>;
  readonly decide: Decide;
  /** Resolves the references in fixed arguments. */
  readonly resolve: Resolve;
}

export function createCatalog(deps: CatalogDeps): Catalog {
  const { config, upstreams, pins, listings, decide, resolve } = deps;
  const listeners = new Set<(revision: number) => void>();
  const settleUntil = performance.now() + SETTLE_MS;
  let revision = 1;
  let builtFor = config();
  let offered = createOffered(builtFor, pins, listings, resolve);
  let build = createEntries(builtFor, deps, offered);
  let entries = build();
  let byId = new Map(entries.map((entry) => [entry.id, entry]));

  const renew = (): void => {
    const now = config();
    if (now !== builtFor) {
      builtFor = now;
      offered = createOffered(now, pins, listings, resolve);
      build = createEntries(now, deps, offered);
    }
    entries = build();
    byId = new Map(entries.map((entry) => [entry.id, entry]));
    revision++;
    for (const listener of listeners) listener(revision);
  };
  upstreams.onChange(renew);
  pins.onChange(renew);
  const onChange = (listener: (revision: number) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const narrowed = (principal: Principal, entry: ServerEntry): ServerEntry =>
    decide(principal, { action: 'use', serverId: entry.id }).effect === 'allow' ? entry : toolsOnly(entry);
  const visible = (principal: Principal): readonly ServerEntry[] =>
    entries
      .filter((entry) => decide(principal, { action: 'see', serverId: entry.id }).effect === 'allow')
      .map((entry) => narrowed(principal, entry));

  return {
    entries: () => entries,
    entry: (id) => byId.get(id),
    offered: (serverId, listed, signature) => offered(serverId, listed, signature),
    revision: () => revision,
    onChange,
    settled: (serverIds, options) => {
      for (const { id } of entries)
        if (serverIds === undefined || serverIds.includes(id)) upstreams.looked(id);
      const waiting = (): boolean =>
        entries.some(
          ({ id, status }) =>
            (serverIds === undefined || serverIds.includes(id)) &&
            isAwaited(status, options?.afresh === true),
        );
      return settled(waiting, onChange, settleUntil);
    },
    servers: visible,
    narrowed,
    server: (principal, name) => {
      const { tenant } = config();
      const found = resolveServer(name, visible(principal), [tenant.name, ...tenant.aliases]);
      return found.length === 1 ? found[0] : undefined;
    },
    tools: (principal, { id, tools }, model) => {
      const call = model === undefined ? {} : { call: { model } };
      return [...tools.values()]
        .filter(
          (tool) => decide(principal, { action: 'use', serverId: id, tool, ...call }).effect === 'allow',
        )
        .map(({ shown }) => shown);
    },
    withheld: (principal, { id, fqn, pins: known, quarantined }, name) => {
      const tool = quarantined.tools.get(name);
      const may = tool && decide(principal, { action: 'use', serverId: id, tool }).effect === 'allow';
      return may === true ? quarantineReason({ fqn, pins: known }, 'tool', name, tool.own.name) : undefined;
    },
  };
}

/** The entries of the servers there are, and then of the virtual ones that are made of them. */
function createEntries(
  config: Config,
  { upstreams, pins, resolve }: Pick<CatalogDeps, 'upstreams' | 'pins' | 'resolve'>,
  offered: ToOffered,
): () => readonly ServerEntry[] {
  const virtual = new Map<string, VirtualServer>(
    config.groups.flatMap((group) =>
      group.servers.flatMap(({ name, virtual: picks, tools, disabled }) =>
        picks === undefined || disabled
          ? []
          : [[`${group.name}:${name}`, createVirtual(name, picks, tools, resolve)] as const],
      ),
    ),
  );
  return () => {
    const real = config.groups.flatMap((group) =>
      group.servers.map((server): ServerEntry => {
        const id = `${group.name}:${server.name}`;
        const { status, capabilities } = upstreams.snapshot(id);
        const pinned = pinnedOf(group, server);
        return {
          id,
          fqn: `${config.tenant.name}:${id}`,
          group: group.name,
          name: server.name,
          config: server,
          pinned,
          pins: pins.find(pinned),
          status: withInstructions(status, pins.instructions(pinned, status.instructions)),
          ...offered(id, capabilities),
        };
      }),
    );
    const byId = new Map(real.map((entry) => [entry.id, entry]));
    return real.map((entry) => ({ ...entry, ...virtual.get(entry.id)?.((id) => byId.get(id)) }));
  };
}

function toolsOnly(entry: ServerEntry): ServerEntry {
  return {
    ...entry,
    capabilities: { ...entry.capabilities, resources: [], templates: [], prompts: [] },
    quarantined: { ...entry.quarantined, prompts: new Set() },
  };
}

/** With the instructions that were accepted, and text in them that nobody sees made visible. */
function withInstructions(status: ServerStatus, instructions: string | undefined): ServerStatus {
  const shown = instructions === undefined ? undefined : reveal(instructions);
  if (shown === status.instructions) return status;
  const { instructions: _given, ...rest } = status;
  return { ...rest, ...(shown !== undefined && { instructions: shown }) };
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
