import type { Config } from '../config/schema.ts';
import { visible } from '../guardrails/definition.ts';
import type { ListingSearch } from '../guardrails/listing-search.ts';
import type { Capabilities, CatalogTool, Offered, ShownTools } from './entry.ts';
import { pinnedOf, type Judged, type Pins } from './pins.ts';
import { createShownResources } from './resources.ts';
import { createShaper, shownWarning, type Resolve } from './shape.ts';

/**
 * What a server listed, as it is shown by its rules and without what nobody has accepted: the one way from the one to
 * the other. `signature` says what the clients can do that it is shown to: nothing, by default. The same answer,
 * identically, until what may be shown changes. Of an unknown server nothing is shown.
 */
export type ToOffered = (serverId: string, listed: Capabilities, signature?: string) => Offered;

export function createOffered(
  config: Config,
  pins: Pick<Pins, 'judge'>,
  listings: Pick<ListingSearch, 'shown'>,
  resolve: Resolve,
): ToOffered {
  const servers = new Map(
    config.groups.flatMap((group) =>
      group.servers.map((server) => {
        const pinned = pinnedOf(group, server);
        return [pinned.id, { pinned, shape: createShaper(server.tools, resolve) }];
      }),
    ),
  );
  const resourcesOf = createShownResources(listings);
  const known = new WeakMap<Judged, Offered>();
  return (serverId, listed, signature = '') => {
    const server = servers.get(serverId);
    if (server === undefined) return NOTHING;
    const judged = pins.judge(server.pinned, listed, signature);
    let offered = known.get(judged);
    if (offered === undefined)
      known.set(judged, (offered = split(server.shape(listed.tools), judged, resourcesOf)));
    return offered;
  };
}

const NOTHING: Offered = {
  tools: new Map(),
  warnings: [],
  capabilities: { tools: [], resources: [], templates: [], prompts: [] },
  quarantined: { tools: new Map(), prompts: new Set() },
};

/** Pins judge a tool by what its server says of it, whatever the configuration makes of that. */
function split(
  shown: ShownTools,
  { capabilities, quarantined }: Judged,
  resourcesOf: ReturnType<typeof createShownResources>,
): Offered {
  const held = new Set(quarantined.tools);
  const tools = new Map<string, CatalogTool>();
  const heldTools = new Map<string, CatalogTool>();
  for (const [name, tool] of shown.tools) (held.has(tool.own) ? heldTools : tools).set(name, tool);
  const prompts = capabilities.prompts.map(visible);
  const resources = resourcesOf(capabilities.resources);
  const templates = resourcesOf(capabilities.templates);
  const changed = capabilities.prompts.filter((own, at) => own !== prompts[at]);
  return {
    tools,
    warnings: [...shown.warnings, ...changed.map(shownWarning), ...resources.warnings, ...templates.warnings],
    capabilities: {
      ...{ tools: [...tools.values()].map((tool) => tool.shown), prompts },
      ...{ resources: resources.items, templates: templates.items },
    },
    quarantined: { tools: heldTools, prompts: new Set(quarantined.prompts.map(({ name }) => name)) },
  };
}
