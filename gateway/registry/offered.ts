import type { Config } from '../config/schema.ts';
import type { Capabilities, Offered } from './entry.ts';
import { createShaper } from './shape.ts';

/** What a server (`group:server`) listed, as it is shown by its rules. */
export type ToOffered = (serverId: string, listed: Capabilities) => Offered;

/** Shapes what a server lists once: the same list gives the same answer, which others may remember things by. */
export function createOffered(config: Config): ToOffered {
  const shapers = new Map(
    config.groups.flatMap((group) =>
      group.servers.map((server) => [`${group.name}:${server.name}`, createShaper(server.tools)]),
    ),
  );
  const known = new WeakMap<Capabilities, Map<string, Offered>>();
  const shape = (serverId: string, listed: Capabilities): Offered => {
    const shown = (shapers.get(serverId) ?? createShaper([]))(listed.tools);
    const tools = [...shown.tools.values()].map((tool) => tool.shown);
    return { ...shown, capabilities: { ...listed, tools } };
  };
  return (serverId, listed) => {
    let byServer = known.get(listed);
    if (byServer === undefined) known.set(listed, (byServer = new Map<string, Offered>()));
    let found = byServer.get(serverId);
    if (found === undefined) byServer.set(serverId, (found = shape(serverId, listed)));
    return found;
  };
}
