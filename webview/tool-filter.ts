import type { RegistryView, ServerView, ToolView } from '../gateway/contract/registry.ts';
import type { Scope } from './selection.ts';

/** A group, and of its servers what a filter leaves. */
export interface FilteredGroup {
  readonly name: string;
  readonly description?: string;
  readonly servers: readonly FilteredServer[];
}

export interface FilteredServer {
  readonly server: ServerView;
  readonly tools: readonly ToolView[];
  /** False when the filter hides a part of the server. */
  readonly whole: boolean;
}

/**
 * The groups, servers and tools that match every word of `filter`, case ignored. A tool matches by its name,
 * title or description, or by the name of its server or group; an empty filter leaves everything.
 */
export function filterRegistry(registry: RegistryView, filter: string): FilteredGroup[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return registry.groups.flatMap((group) => {
    const servers = group.servers.flatMap((server) => filterServer(server, words));
    if (servers.length === 0 && (words.length > 0 || group.servers.length > 0)) return [];
    return [{ name: group.name, ...(group.description && { description: group.description }), servers }];
  });
}

function filterServer(server: ServerView, words: readonly string[]): FilteredServer[] {
  const place = `${server.group} ${server.name} ${server.tags.join(' ')}`.toLowerCase();
  if (words.every((word) => place.includes(word))) return [{ server, tools: server.tools, whole: true }];
  const tools = server.tools.filter((tool) => {
    const text = `${place} ${tool.name} ${tool.title ?? ''} ${tool.description ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return tools.length === 0 ? [] : [{ server, tools, whole: tools.length === server.tools.length }];
}

/** What a tick on a server's or a group's box is about while the filter is on. */
export function scopeOf({ server, tools, whole }: FilteredServer): Scope {
  return { server, tools: whole ? 'all' : tools.map((tool) => tool.name) };
}
