import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, GroupConfig, ServerConfig } from '../config/schema.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { PinDecision, PinKind } from '../contract/pins.ts';
import type { ListingSearch } from '../guardrails/listing-search.ts';
import type { ConfigState, ConfigStore } from '../storage/contracts.ts';
import { createDefinitionReader, type Definition, type DefinitionReader } from './definition.ts';
import type { Capabilities, Listed } from './entry.ts';
import { fingerprint } from './fingerprint.ts';
import type { Pin, Pinned, ServerPins } from './pin.ts';
import {
  decideOn,
  isAccepted,
  keyOf,
  newServerPins,
  observe,
  pendingFor,
  type Observation,
} from './pin-record.ts';

export function pinnedOf(group: GroupConfig, server: ServerConfig): Pinned {
  return {
    id: `${group.name}:${server.name}`,
    fingerprint: fingerprint(server),
    mode: server.pins ?? group.pins,
  };
}

/** The registrations of one configuration that another does not have. */
export function registrationsGone(former: Config, next: Config): Pinned[] {
  const all = (config: Config): Pinned[] =>
    config.groups.flatMap((group) => group.servers.map((server) => pinnedOf(group, server)));
  const key = ({ id, fingerprint }: Pinned): string => registration(id, fingerprint);
  const left = new Set(all(next).map(key));
  return all(former).filter((pinned) => !left.has(key(pinned)));
}

/** What one complete or partial listing brought. */
export interface Listing {
  /** The capabilities of the client that the server was told of; none on the shared connection. */
  readonly clientCapabilities: JsonObject;
  readonly capabilities: Capabilities;
  /** The lists that were read to their end. */
  readonly listed: ReadonlySet<keyof Capabilities>;
  /** What the server said of its use, of the shared connection only: no other's is shown. */
  readonly instructions?: { readonly text: string | undefined };
}

/** What a server listed, told apart by whether it was accepted. */
export interface Judged {
  /** Without the tools and prompts that nobody has accepted. */
  readonly capabilities: Capabilities;
  readonly quarantined: { readonly tools: readonly Listed[]; readonly prompts: readonly Listed[] };
}

/**
 * The pins of the definitions that servers offer: what was accepted is remembered by its hash, and anything else waits
 * for review. A listing is searched and recorded before anybody is shown it, and every decision is recorded; what cannot
 * be is not shown.
 */
export interface Pins {
  /**
   * Searches a listing for prompt injection, the resources in it included, and records it. Rejects when that was not
   * possible; resources that could not be searched keep the rest from nothing.
   */
  record(server: Pinned, listing: Listing): Promise<void>;
  /**
   * What may be shown of what a server listed to clients of these capabilities (see `capabilitySignature`); the same
   * answer, identically, until something changes.
   */
  judge(server: Pinned, listed: Capabilities, signature: string): Judged;
  /** The instructions that were accepted, whatever the server gives now; undefined when none were. */
  instructions(server: Pinned, given: string | undefined): string | undefined;
  /** False until a listing of this registration has been recorded. */
  knows(server: Pinned): boolean;
  find(server: Pinned): ServerPins | undefined;
  /** False, with nothing decided, when an item is not on offer (any more). */
  decide(
    server: Pinned,
    items: PinDecision['items'],
    decision: { readonly state: 'accepted' | 'rejected'; readonly by: string },
  ): Promise<boolean>;
  /** Forgets registrations: those that come under these names again start anew. */
  forget(servers: readonly Pinned[]): Promise<void>;
  /** Called when what may be shown has changed, by another process too. Returns the way to stop it. */
  onChange(listener: () => void): () => void;
}

export interface PinsDeps {
  readonly store: ConfigStore;
  readonly now: () => number;
  readonly listings: Pick<ListingSearch, 'definitions' | 'resources'>;
  /** Called with how much more of a server waits for review than before. */
  readonly onQuarantined: (serverId: string, names: readonly string[]) => void;
}

/** So many changes of one server are recorded at once; beyond, one in each interval. */
const BURST = 20;
const INTERVAL_MS = 1_000;
/** Registrations whose pins are kept; beyond, the longest unchanged are forgotten. */
const MAX_SERVERS = 1_000;

export function createPins(deps: PinsDeps): Pins {
  const { store, now, listings } = deps;
  const reader = createDefinitionReader();
  const index = createIndex(store);
  const paced = createPace();
  const at = (): string => new Date(now()).toISOString();
  const keep = async (server: Pinned, seen: Observation): Promise<void> => {
    const change = (known: ServerPins | undefined): ServerPins =>
      observe(known ?? newServerPins(server, now()), seen, server.mode, at());
    const before = index.find(server)?.pins;
    if (before !== undefined && change(before) === before) return;
    await paced(server.id);
    let added: readonly string[] = [];
    await store.update((state) => {
      const known = state.pins.find((pins) => isOf(pins, server));
      const next = change(known);
      added = waiting(next).filter((name) => known === undefined || !waiting(known).includes(name));
      return next === known ? state : withPins(state, next);
    });
    if (added.length > 0) deps.onQuarantined(server.id, added);
  };

  return {
    record: async (server, listing) => {
      await keep(server, await observation(reader, listings, listing));
      const { resources, templates } = listing.capabilities;
      await listings.resources([...resources, ...templates]);
    },
    judge: (server, listed, signature) =>
      index.find(server)?.judge(listed, signature, reader) ?? allQuarantined(listed),
    instructions: (server, given) => {
      const pin = index.find(server)?.byKey.get(keyOf({ kind: 'instructions', name: '' }));
      if (isAccepted(pin, reader.instructions(given).hash, '')) return given;
      const text = pin?.versions.findLast(({ state }) => state === 'accepted')?.content?.['text'];
      return typeof text === 'string' ? text : undefined;
    },
    knows: (server) => index.find(server) !== undefined,
    find: (server) => index.find(server)?.pins,
    decide: async (server, items, { state: decided, by }) => {
      let done = false;
      await store.update((state) => {
        const known = state.pins.find((pins) => isOf(pins, server));
        const next = known && decideOn(known, items, { state: decided, at: at(), by });
        done = next !== undefined;
        return next === undefined ? state : withPins(state, next);
      });
      return done;
    },
    forget: async (servers) => {
      const isForgotten = (pins: ServerPins): boolean => servers.some((server) => isOf(pins, server));
      if (!store.current().pins.some(isForgotten)) return;
      await store.update((state) => ({
        ...state,
        pins: state.pins.filter((pins) => !isForgotten(pins)),
      }));
    },
    onChange: index.onChange,
  };
}

/**
 * What a server was told of its client's capabilities, in the part that servers choose their tools by. It has few
 * values, so that no client can make a server's first listing happen again and again.
 */
export function capabilitySignature(capabilities: JsonObject): string {
  const inner = { elicitation: ['url'], roots: [], sampling: ['tools'] } as const;
  return Object.entries(inner)
    .flatMap(([name, details]) => {
      const declared = capabilities[name];
      if (!isJsonObject(declared)) return [];
      return [name, ...details.filter((key) => isJsonObject(declared[key])).map((key) => `${name}.${key}`)];
    })
    .join(', ');
}

/** Makes a server wait that changes over and over, so that it cannot keep the disk busy. */
function createPace(): (serverId: string) => Promise<void> | undefined {
  const due = new Map<string, number>();
  return (id) => {
    const now = performance.now();
    const next = Math.max(now, due.get(id) ?? 0) + INTERVAL_MS;
    due.set(id, next);
    const wait = next - now - BURST * INTERVAL_MS;
    return wait > 0 ? sleep(wait, undefined, { ref: false }) : undefined;
  };
}

/** Why a call of something in quarantine is refused, and what to do. `own` is its name at its server. */
export function quarantineReason(
  { fqn, pins }: { readonly fqn: string; readonly pins?: ServerPins | undefined },
  kind: 'tool' | 'prompt',
  name: string,
  own = name,
): string {
  const versions = pins?.pins.find((pin) => pin.kind === kind && pin.name === own)?.versions ?? [];
  const found = versions.filter((one) => pendingFor(one).length > 0).flatMap((one) => one.found);
  const why =
    found.length === 0
      ? 'is new or has changed since it was approved'
      : `looks like prompt injection (${[...new Set(found)].join(', ')})`;
  return `the ${kind} ${name} of ${fqn} ${why}, and waits for review; an administrator reviews it in VS Code or with toolgate pins show ${fqn}`;
}

/** One registration's pins, ready to judge by. */
interface Known {
  readonly pins: ServerPins;
  readonly byKey: ReadonlyMap<string, Pin>;
  judge(listed: Capabilities, signature: string, reader: DefinitionReader): Judged;
}

/** The store's pins by registration. What did not change keeps its identity, and with it what was judged. */
function createIndex(store: ConfigStore): {
  readonly find: (server: Pinned) => Known | undefined;
  readonly onChange: Pins['onChange'];
} {
  const listeners = new Set<() => void>();
  const read = (state: ConfigState, former: ReadonlyMap<string, Known>): Map<string, Known> =>
    new Map(
      state.pins.map((pins) => {
        const key = registration(pins.server, pins.fingerprint);
        const known = former.get(key);
        return [key, known?.pins.revision === pins.revision ? known : toKnown(pins)];
      }),
    );
  let index = read(store.current(), new Map());
  store.onChange((state) => {
    const former = index;
    index = read(state, former);
    const same = index.size === former.size && [...index].every(([key, known]) => former.get(key) === known);
    if (!same) for (const listener of listeners) listener();
  });
  return {
    find: ({ id, fingerprint }) => index.get(registration(id, fingerprint)),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function toKnown(pins: ServerPins): Known {
  const byKey = new Map(pins.pins.map((pin) => [keyOf(pin), pin]));
  const judged = new WeakMap<Capabilities, Map<string, Judged>>();
  return {
    pins,
    byKey,
    judge: (listed, signature, reader) => {
      let answers = judged.get(listed);
      if (answers === undefined) judged.set(listed, (answers = new Map<string, Judged>()));
      let answer = answers.get(signature);
      if (answer === undefined) answers.set(signature, (answer = judge(listed, signature, byKey, reader)));
      return answer;
    },
  };
}

function judge(
  listed: Capabilities,
  signature: string,
  byKey: ReadonlyMap<string, Pin>,
  reader: DefinitionReader,
): Judged {
  const accepted = (kind: 'tool' | 'prompt') => (item: Listed) => {
    const definition = reader.read(kind, item);
    return definition !== undefined && isAccepted(byKey.get(keyOf(definition)), definition.hash, signature);
  };
  const [tools, heldTools] = parted(listed.tools, accepted('tool'));
  const [prompts, heldPrompts] = parted(listed.prompts, accepted('prompt'));
  return {
    capabilities: heldTools.length + heldPrompts.length === 0 ? listed : { ...listed, tools, prompts },
    quarantined: { tools: heldTools, prompts: heldPrompts },
  };
}

function allQuarantined(listed: Capabilities): Judged {
  return {
    capabilities: { ...listed, tools: [], prompts: [] },
    quarantined: { tools: listed.tools, prompts: listed.prompts },
  };
}

function parted<T>(items: readonly T[], isIn: (item: T) => boolean): [T[], T[]] {
  const inside: T[] = [];
  const outside: T[] = [];
  for (const item of items) (isIn(item) ? inside : outside).push(item);
  return [inside, outside];
}

async function observation(
  reader: DefinitionReader,
  listings: PinsDeps['listings'],
  listing: Listing,
): Promise<Observation> {
  const { capabilities, listed, instructions } = listing;
  const kinds: PinKind[] = [];
  const definitions: Definition[] = [];
  const add = (kind: 'tool' | 'prompt', items: readonly Listed[]): void => {
    kinds.push(kind);
    for (const item of items) {
      const definition = reader.read(kind, item);
      if (definition !== undefined) definitions.push(definition);
    }
  };
  if (listed.has('tools')) add('tool', capabilities.tools);
  if (listed.has('prompts')) add('prompt', capabilities.prompts);
  if (instructions !== undefined) {
    kinds.push('instructions');
    definitions.push(reader.instructions(instructions.text));
  }
  return {
    signature: capabilitySignature(listing.clientCapabilities),
    kinds,
    definitions: await listings.definitions(definitions),
  };
}

/** What waits, in words. */
function waiting({ pins }: ServerPins): string[] {
  return pins
    .filter(({ versions }) => versions.some((one) => one.state !== 'rejected' && pendingFor(one).length > 0))
    .map(({ kind, name, versions }) => {
      const found = versions.filter((one) => pendingFor(one).length > 0).flatMap((one) => one.found);
      const what = name === '' ? kind : `${kind} ${name}`;
      return found.length === 0 ? what : `${what} (looks like prompt injection: ${found.join(', ')})`;
    });
}

function isOf(pins: ServerPins, { id, fingerprint }: Pinned): boolean {
  return pins.server === id && pins.fingerprint === fingerprint;
}

function registration(id: string, fingerprint: string): string {
  return `${id} ${fingerprint}`;
}

/** The changed one last, so that the longest unchanged are the first. */
function withPins(state: ConfigState, next: ServerPins): ConfigState {
  const others = state.pins.filter(
    ({ server, fingerprint }) => server !== next.server || fingerprint !== next.fingerprint,
  );
  return { ...state, pins: [...others, next].slice(-MAX_SERVERS) };
}
