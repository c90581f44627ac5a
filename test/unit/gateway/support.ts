import { createDecide, type Decide } from '../../../gateway/access/decide.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import { resolveReferences } from '../../../gateway/config/references.ts';
import type { Config } from '../../../gateway/config/schema.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { WHOLE_SCOPE, type Principal } from '../../../gateway/identity/principal.ts';
import { createCatalog, type Catalog, type CatalogPins } from '../../../gateway/registry/catalog.ts';
import type { Capabilities, Listed, ServerStatus } from '../../../gateway/registry/entry.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import type { RequestOptions } from '../../../gateway/upstream/peer.ts';
import type { Upstreams } from '../../../gateway/upstream/upstreams.ts';

/** The configuration of a text that must be right. */
export function parsed(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}

/** A configuration of groups with servers, each written as the rest of a flow mapping after its name. */
export function configOf(groups: Record<string, Record<string, string>>): Config {
  const lines = Object.entries(groups).flatMap(([group, servers]) => [
    `  - name: ${group}`,
    '    servers:',
    ...Object.entries(servers).map(([name, rest]) => `      - { name: ${name}, command: x${rest} }`),
  ]);
  return parsed(['version: 1', 'tenant: { name: t, aliases: [alias] }', 'groups:', ...lines].join('\n'));
}

/** A principal as identity makes it. */
export function principalOf(groups: readonly string[] | null = null, tokenId = 'token'): Principal {
  return {
    subject: 'user:owner',
    tokenId,
    administrator: groups === null,
    claims: { teams: [] },
    scope: { ...WHOLE_SCOPE, groups },
  };
}

export const tool = (name: string, more: JsonObject = {}): Listed => ({
  name,
  inputSchema: { type: 'object' },
  ...more,
});

type Answer = (method: string, params: JsonObject, options: RequestOptions) => Promise<JsonObject>;

/** What a server of these tests offers, and how it answers; it counts what it is asked. */
export interface Offer extends Partial<Capabilities> {
  readonly status?: Partial<ServerStatus>;
  readonly answer?: Answer;
}

/** The one secret that there is here is called `known`. */
const resolve = (text: string): string =>
  resolveReferences(text, (_kind, name) => (name === 'known' ? 'canary-value' : undefined));

/** Pins that accept whatever is listed. */
const ACCEPTING: CatalogPins = {
  judge: (_server, capabilities) => ({ capabilities, quarantined: { tools: [], prompts: [] } }),
  instructions: (_server, given) => given,
  find: () => undefined,
  onChange: () => () => undefined,
};

/** A catalog over servers that are there, by `group:server`. */
export function catalogOf(
  config: Config,
  offers: Record<string, Offer>,
  pins: CatalogPins = ACCEPTING,
): {
  readonly catalog: Catalog;
  readonly decide: Decide;
  readonly upstreams: Upstreams;
  /** `server method` of each request that reached a server. */
  readonly asked: string[];
  /** Changes what a server offers. */
  change(serverId: string, offer: Offer): void;
} {
  const listeners: (() => void)[] = [];
  const asked: string[] = [];
  const connection = (id: string): Connection => ({
    era: 'legacy',
    handshake: { protocolVersion: '2025-11-25', serverInfo: { name: id, version: '1' }, capabilities: {} },
    request: (method, params, options) => {
      asked.push(`${id} ${method}`);
      return (offers[id]?.answer ?? (() => Promise.resolve({ content: [] })))(method, params, options);
    },
    notify: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const upstreams: Upstreams = {
    looked: () => undefined,
    start: () => undefined,
    apply: () => undefined,
    probe: () => Promise.reject(new Error('unused')),
    snapshot: (id) => {
      const { status, tools = [], resources = [], templates = [], prompts = [] } = offers[id] ?? {};
      return {
        status: { state: 'ready', stderrTail: [], declared: {}, protocolVersion: '2025-11-25', ...status },
        capabilities: { tools, resources, templates, prompts },
      };
    },
    connected: (id) =>
      offers[id]?.status?.state === 'failed'
        ? Promise.reject(new UnavailableError('it is away'))
        : connection(id),
    open: (id) => Promise.resolve(connection(id)),
    list: () => Promise.resolve({ tools: [], resources: [], templates: [], prompts: [] }),
    refresh: () => Promise.resolve(),
    onChange: (listener) => void listeners.push(listener),
    close: () => Promise.resolve(),
  };
  const decide = createDecide(config);
  return {
    catalog: createCatalog({
      config: () => config,
      upstreams,
      pins,
      listings: { shown: (items) => items.map((shown) => ({ found: [], shown })) },
      decide,
      resolve,
    }),
    decide,
    upstreams,
    asked,
    change: (id, offer) => {
      offers[id] = offer;
      for (const listener of listeners) listener();
    },
  };
}
