import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Listed, Offered, ServerEntry } from '../registry/entry.ts';
import { aggregatePrefixes, NAME_LIMIT, SEPARATOR } from '../registry/names.ts';
import type { RpcError } from './jsonrpc.ts';
import { compileTemplate } from './uri-template.ts';

/** What an address shows: `/mcp`, `/mcp/{group}` or `/mcp/{group}/{server}`. */
export type Scope = (
  | { readonly kind: 'all' }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'server'; readonly group: string; readonly server: string }
) & {
  /** `/mcp/_discover…`: the discovery tools stand for all tools. */
  readonly discovery?: boolean;
};

/** Where a name of a view leads: the server and the name it has there. */
export interface Target {
  readonly serverId: string;
  readonly name: string;
}

/** What a `tools/call` of a discovery tool comes to: an answer, or the call of another tool. */
export type Discovered = { readonly result: JsonObject } | { readonly params: JsonObject } | RpcError;

/** A page of the result of an earlier call. */
export interface Reading {
  readonly target: Target & { readonly kind: 'tool' };
  readonly params: JsonObject;
  readonly page: { readonly reference: string; readonly page: number };
}

/** One address as one principal sees it, at one revision of the catalog. */
export interface View {
  readonly entries: readonly ServerEntry[];
  /** At a server's own address, that server. */
  readonly own: ServerEntry | undefined;
  /** Every tool, as it is listed here. */
  readonly tools: readonly Listed[];
  /** The `result` of each list method, ready to be sent. */
  readonly payloads: Readonly<Record<ListMethod, string>>;
  /** Leads to what waits for review too, so that a call of it is refused with that reason. */
  tool(name: string): Target | undefined;
  /** At a discovery address: what the params of a `tools/call` come to. */
  discover?(params: JsonObject): Discovered;
  /** What a call of the tool that reads on in large results comes to, where there is one. */
  read?(args: unknown): Reading | RpcError;
  prompt(name: string): Target | undefined;
  /** The server that lists the URI, or has a template it fits; the first in the registry's order. */
  resource(uri: string): Target | undefined;
}

export type ListMethod = 'tools/list' | 'resources/list' | 'resources/templates/list' | 'prompts/list';

/** `_meta` key that names the server behind an item of an aggregate. */
const PROVENANCE = 'toolgate/server';
const CACHED_VIEWS = 256;

/**
 * Gives the view of an address; undefined when the principal may not know the group or server. `offered` is what
 * the server at its own address offers to one session, where that has a connection of its own.
 */
export type Views = (principal: Principal, scope: Scope, offered?: Offered) => View | undefined;

/** Views are built once per principal, address and catalog revision. */
export function createViews(catalog: Catalog): Views {
  const cache = new Map<string, { readonly principal: Principal; readonly view: View | undefined }>();
  const ofSessions = new WeakMap<Offered, { readonly revision: number; readonly view: View | undefined }>();
  let revision = 0;
  const ofSession = (principal: Principal, scope: Scope, offered: Offered): View | undefined => {
    const known = ofSessions.get(offered);
    if (known?.revision === catalog.revision()) return known.view;
    const view = build(catalog, principal, scope, offered);
    ofSessions.set(offered, { revision: catalog.revision(), view });
    return view;
  };
  return (principal, scope, offered) => {
    if (offered !== undefined) return ofSession(principal, scope, offered);
    if (revision !== catalog.revision()) {
      cache.clear();
      revision = catalog.revision();
    }
    const key = JSON.stringify([principal.tokenId, scope]);
    const known = cache.get(key);
    // A token that was changed makes another principal.
    if (known?.principal === principal) return known.view;
    const view = build(catalog, principal, scope);
    if (cache.size >= CACHED_VIEWS) cache.clear();
    cache.set(key, { principal, view });
    return view;
  };
}

function build(catalog: Catalog, principal: Principal, scope: Scope, offered?: Offered): View | undefined {
  const entries = catalog
    .servers(principal)
    .filter((entry) => inScope(entry, scope))
    .map((entry) => (offered === undefined ? entry : catalog.narrowed(principal, { ...entry, ...offered })));
  if (entries.length === 0 && scope.kind !== 'all') return undefined;
  const aggregate = scope.kind !== 'server';
  const prefixes = scope.kind === 'all' ? aggregatePrefixes(catalog.entries()) : new Map<string, string>();
  const prefix = ({ id, name }: ServerEntry): string => `${prefixes.get(id) ?? name}${SEPARATOR}`;

  const tools = new Map<string, Named>();
  const prompts = new Map<string, Named>();
  const held = { tools: new Map<string, Target>(), prompts: new Map<string, Target>() };
  const resources = new Map<string, Named>();
  const templates: (Named & { matches: (uri: string) => boolean })[] = [];
  for (const entry of entries) {
    const named = (item: Listed, name: string): Named => ({
      item: aggregate ? withProvenance(item, name, entry.fqn) : item,
      target: { serverId: entry.id, name: item.name },
    });
    const rename = (item: Listed): string => (aggregate ? prefix(entry) + item.name : item.name);
    for (const tool of catalog.tools(principal, entry))
      addNamed(tools, rename(tool), named(tool, rename(tool)), aggregate);
    for (const name of entry.quarantined.tools.keys())
      held.tools.set(aggregate ? prefix(entry) + name : name, { serverId: entry.id, name });
    for (const name of entry.quarantined.prompts)
      held.prompts.set(aggregate ? prefix(entry) + name : name, { serverId: entry.id, name });
    for (const prompt of entry.capabilities.prompts)
      addNamed(prompts, rename(prompt), named(prompt, rename(prompt)), aggregate);
    for (const resource of entry.capabilities.resources) {
      const uri = String(resource['uri']);
      if (!resources.has(uri))
        resources.set(uri, { ...named(resource, resource.name), target: { serverId: entry.id, name: uri } });
    }
    for (const template of entry.capabilities.templates) {
      templates.push({
        ...named(template, template.name),
        matches: compileTemplate(String(template['uriTemplate'])),
      });
    }
  }
  const items = (from: Iterable<Named>): Listed[] => [...from].map(({ item }) => item);
  const listedTools = items(tools.values());
  return {
    entries,
    own: aggregate ? undefined : entries[0],
    tools: listedTools,
    payloads: {
      'tools/list': JSON.stringify({ tools: listedTools }),
      'prompts/list': JSON.stringify({ prompts: items(prompts.values()) }),
      'resources/list': JSON.stringify({ resources: items(resources.values()) }),
      'resources/templates/list': JSON.stringify({ resourceTemplates: items(templates) }),
    },
    tool: (name) => tools.get(name)?.target ?? held.tools.get(name),
    prompt: (name) => prompts.get(name)?.target ?? held.prompts.get(name),
    resource: (uri) => {
      const listed = resources.get(uri)?.target;
      if (listed) return listed;
      const template = templates.find(({ matches }) => matches(uri));
      // A server may serve URIs that it does not list; at its own address it is asked.
      const serverId = template?.target.serverId ?? (aggregate ? undefined : entries[0]?.id);
      return serverId === undefined ? undefined : { serverId, name: uri };
    },
  };
}

interface Named {
  readonly item: Listed;
  readonly target: Target;
}

/** In aggregates a name that is too long for model APIs is left out; the registry view warns of it. */
function addNamed(into: Map<string, Named>, name: string, named: Named, aggregate: boolean): void {
  if (!into.has(name) && (!aggregate || name.length <= NAME_LIMIT)) into.set(name, named);
}

function inScope(entry: ServerEntry, scope: Scope): boolean {
  if (scope.kind === 'all') return true;
  return entry.group === scope.group && (scope.kind === 'group' || entry.name === scope.server);
}

function withProvenance(item: Listed, name: string, fqn: string): Listed {
  const meta = (item['_meta'] ?? {}) as JsonObject;
  return { ...item, name, _meta: { ...meta, [PROVENANCE]: fqn } };
}
