import type { TokenScope } from '../identity/principal.ts';
import { compileGlob } from './match.ts';

/** Whether a token reaches a group at all; each of its narrowings that is about servers must leave some of it. */
export function reachesGroup({ groups, servers, tools }: TokenScope, group: string): boolean {
  return (
    (groups === null || groups.includes(group)) &&
    (servers === null || servers.some((server) => server.startsWith(`${group}:`))) &&
    (tools === null || tools.some((tool) => couldBeAt(tool, `${group}:`)))
  );
}

export function reachesServer({ servers, tools }: TokenScope, serverId: string): boolean {
  return (
    (servers === null || servers.includes(serverId)) &&
    (tools === null || tools.some((tool) => couldBeAt(tool, `${serverId}:`)))
  );
}

export function reachesTool({ tools }: TokenScope, serverId: string, tool: string): boolean {
  return tools === null || tools.some((pattern) => compileGlob(pattern)(`${serverId}:${tool}`));
}

/** Whether a token reaches what a call was for. */
export function reachesCall(
  scope: TokenScope,
  { serverId, tool }: { readonly serverId: string; readonly tool: string },
): boolean {
  const group = serverId.slice(0, serverId.indexOf(':'));
  return reachesGroup(scope, group) && reachesServer(scope, serverId) && reachesTool(scope, serverId, tool);
}

export function reachesModel({ models }: TokenScope, model: string): boolean {
  return models === null || models.some((pattern) => compileGlob(pattern)(model));
}

/** Whether a pattern can mean something that begins so. Certain up to the first wildcard. */
function couldBeAt(pattern: string, prefix: string): boolean {
  const wildcard = pattern.search(/[*?]/);
  if (wildcard < 0 || wildcard >= prefix.length) return pattern.startsWith(prefix);
  return prefix.startsWith(pattern.slice(0, wildcard));
}
