import type { AgentRequestBody } from '../gateway/contract/agent.ts';
import type { RegistryView, ServerView } from '../gateway/contract/registry.ts';

/**
 * What the user ticked, by the server's fqn: `all` of a server, which takes in tools it gets later, or some of
 * its tools by name. A server that is not a key has nothing ticked.
 */
export type Selection = Readonly<Record<string, 'all' | readonly string[]>>;

export type Tick = 'on' | 'off' | 'mixed';

/** The part of a server a click is about: all of it, or the tools a filter left. */
export interface Scope {
  readonly server: ServerView;
  readonly tools: 'all' | readonly string[];
}

export function isToolTicked(selection: Selection, server: ServerView, tool: string): boolean {
  const ticked = selection[server.fqn];
  return ticked === 'all' || ticked?.includes(tool) === true;
}

/** `mixed`: some of the server's tools, not all. */
export function serverTick(selection: Selection, server: ServerView): Tick {
  const ticked = selection[server.fqn];
  if (ticked === 'all') return 'on';
  return server.tools.some((tool) => ticked?.includes(tool.name)) ? 'mixed' : 'off';
}

export function groupTick(selection: Selection, servers: readonly ServerView[]): Tick {
  const ticks = new Set(servers.map((server) => serverTick(selection, server)));
  if (ticks.size > 1 || ticks.has('mixed')) return 'mixed';
  return ticks.has('on') ? 'on' : 'off';
}

/** The selection with everything in `scopes` ticked or not. A server whose every tool is ticked becomes `all`. */
export function tick(selection: Selection, scopes: readonly Scope[], on: boolean): Selection {
  const next = new Map(Object.entries(selection));
  for (const { server, tools } of scopes) {
    const before = next.get(server.fqn);
    const ticked = on ? added(before, server, tools) : removed(before, server, tools);
    if (ticked === undefined) next.delete(server.fqn);
    else next.set(server.fqn, ticked);
  }
  return Object.fromEntries(next);
}

function added(
  before: Selection[string] | undefined,
  server: ServerView,
  tools: Scope['tools'],
): Selection[string] {
  if (before === 'all' || tools === 'all') return 'all';
  const names = new Set([...(before ?? []), ...tools]);
  return server.tools.every((tool) => names.has(tool.name)) ? 'all' : [...names];
}

function removed(
  before: Selection[string] | undefined,
  server: ServerView,
  tools: Scope['tools'],
): Selection[string] | undefined {
  if (before === undefined || tools === 'all') return undefined;
  const names = before === 'all' ? server.tools.map((tool) => tool.name) : before;
  const rest = names.filter((name) => !tools.includes(name));
  return rest.length > 0 ? rest : undefined;
}

/** How many of the registry's tools are ticked. */
export function countTicked(selection: Selection, registry: RegistryView): number {
  let count = 0;
  for (const server of serversOf(registry)) {
    count += server.tools.filter((tool) => isToolTicked(selection, server, tool.name)).length;
  }
  return count;
}

/**
 * The `mcp_servers` of a request: a whole server without `tools`, a part of one with them. Ticked servers and
 * tools the registry no longer has are left out, and come back with it.
 */
export function mcpServers(
  selection: Selection,
  registry: RegistryView,
): NonNullable<AgentRequestBody['mcp_servers']> {
  return serversOf(registry).flatMap((server) => {
    if (selection[server.fqn] === 'all') return [{ integration_fqn: server.fqn }];
    const tools = server.tools.filter((tool) => isToolTicked(selection, server, tool.name));
    if (tools.length === 0) return [];
    return [{ integration_fqn: server.fqn, tools: tools.map(({ name }) => ({ name })) }];
  });
}

export function serversOf(registry: RegistryView): ServerView[] {
  return registry.groups.flatMap((group) => group.servers);
}
