import { exposedOf } from '../config/exposed.ts';
import type { Decide } from '../access/decide.ts';
import type { Config, ServerConfig } from '../config/schema.ts';
import type {
  PromptView,
  RegistryView,
  ResourceView,
  ServerView,
  ToolView,
  Transport,
} from '../contract/registry.ts';
import { promptViewSchema, resourceViewSchema, toolViewSchema } from '../contract/registry.ts';
import type { Principal } from '../identity/principal.ts';
import type { HealthView, Resilience } from '../resilience/resilience.ts';
import type { Catalog } from './catalog.ts';
import type { Listed, ServerEntry } from './entry.ts';
import { aggregatePrefixes, NAME_LIMIT, SEPARATOR } from './names.ts';
import { reviewSummary } from './pin-views.ts';

/** The registry as a principal may see it: the groups its token reaches, with what it may use of them. */
export function registryView(
  principal: Principal,
  catalog: Catalog,
  config: Config,
  decide: Decide,
  gatewayVersion: string,
  healthOf: Resilience['view'] = () => undefined,
): RegistryView {
  const servers = catalog.servers(principal);
  const administers = decide(principal, { action: 'manage' }).effect === 'allow';
  const prefixes = aggregatePrefixes(catalog.entries());
  const groups = config.groups
    .filter(({ name }) => decide(principal, { action: 'enter', group: name }).effect === 'allow')
    .map(({ name, description, environment }) => ({
      name,
      ...(description !== undefined && { description }),
      ...(environment !== undefined && { environment }),
      servers: servers
        .filter((entry) => entry.group === name)
        .map((entry) =>
          serverView(
            // What is wrong with a tool, or waits for review, is told to those who may know of it.
            administers
              ? {
                  ...entry,
                  warnings: [...entry.warnings, ...(entry.status.warnings ?? []), ...exposed(entry)],
                }
              : { ...entry, warnings: [], pins: undefined },
            catalog.tools(principal, entry),
            prefixes.get(entry.id) ?? entry.name,
            healthOf(entry.id),
          ),
        ),
    }));
  return { tenant: config.tenant.name, gatewayVersion, revision: catalog.revision(), groups };
}

function exposed({ config }: ServerEntry): string[] {
  return exposedOf(config).map(({ path, message }) => `${path}: ${message}`);
}

function serverView(
  entry: ServerEntry,
  tools: readonly Listed[],
  prefix: string,
  health: HealthView | undefined,
): ServerView {
  const { config, status, capabilities } = entry;
  const review = reviewSummary(entry.pins);
  return {
    fqn: entry.fqn,
    group: entry.group,
    name: entry.name,
    ...(config.description !== undefined && { description: config.description }),
    tags: config.tags,
    transport: transportOf(config),
    disabled: config.disabled,
    state: status.state,
    ...(status.lastError !== undefined && { lastError: status.lastError }),
    ...(status.lacks !== undefined && { lacks: status.lacks }),
    ...(health !== undefined && { health: healthView(health) }),
    stderrTail: [...status.stderrTail],
    ...(status.serverInfo !== undefined && { serverInfo: status.serverInfo }),
    ...(status.protocolVersion !== undefined && { protocolVersion: status.protocolVersion }),
    ...(status.listedAt !== undefined && { listedAt: new Date(status.listedAt).toISOString() }),
    warnings: [
      ...entry.warnings,
      ...[...tools, ...capabilities.prompts]
        .map(({ name }) => `${prefix}${SEPARATOR}${name}`)
        .filter((name) => name.length > NAME_LIMIT)
        .map((name) => `${name} is over ${NAME_LIMIT} characters: only the server's own address offers it`),
    ],
    ...(review !== undefined && { review }),
    tools: tools.flatMap(toolView),
    resources: [
      ...capabilities.resources.flatMap((resource) => resourceView(resource, false)),
      ...capabilities.templates.flatMap((template) => resourceView(template, true)),
    ],
    prompts: capabilities.prompts.flatMap(promptView),
  };
}

function healthView({ opensAgainAt, ...health }: HealthView): NonNullable<ServerView['health']> {
  return {
    ...health,
    ...(opensAgainAt !== undefined && { opensAgainAt: new Date(opensAgainAt).toISOString() }),
  };
}

function transportOf({ url, transport, virtual, openapi }: ServerConfig): Transport {
  if (virtual !== undefined) return 'virtual';
  if (openapi !== undefined) return 'openapi';
  return url === undefined ? 'stdio' : (transport ?? 'streamable-http');
}

/** A server may list what the specification does not allow; such an item is not shown rather than breaking the view. */
function toolView(tool: Listed): ToolView[] {
  const parsed = toolViewSchema.safeParse(tool);
  return parsed.success ? [parsed.data] : [];
}

function resourceView(resource: Listed, template: boolean): ResourceView[] {
  const uri = template ? resource['uriTemplate'] : resource['uri'];
  const parsed = resourceViewSchema.safeParse({ ...resource, uri, template });
  return parsed.success ? [parsed.data] : [];
}

function promptView(prompt: Listed): PromptView[] {
  const parsed = promptViewSchema.safeParse({ ...prompt, arguments: prompt['arguments'] ?? [] });
  return parsed.success ? [parsed.data] : [];
}
