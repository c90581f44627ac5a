import { isDeepStrictEqual } from 'node:util';
import { serverSchema, type Config, type ServerConfig } from '../config/schema.ts';

/** What whoever manages a group may change of a server there. None of it reaches further than the server did. */
const CHANGEABLE = ['description', 'tags', 'tools', 'unlistedTools', 'disabled'] as const;
/** What a server that they add may say beside that. */
const ADDABLE = ['name', 'url', 'transport', 'protocol', 'timeouts'] as const;

/**
 * Why a change goes beyond what the manager of a group may do, undefined when it does not. A command is a program on
 * the gateway's machine, a reference a credential that could be sent elsewhere, a private address its network: those
 * are an administrator's to give.
 */
export function beyondManager(before: Config, after: Config): string | undefined {
  const known = serversOf(before);
  for (const [id, server] of serversOf(after)) {
    const former = known.get(id);
    const name = id.slice(id.indexOf(':') + 1);
    const base = former ?? serverSchema.parse({ name, url: server.url ?? 'https://url.invalid' });
    const free: readonly string[] = former === undefined ? [...CHANGEABLE, ...ADDABLE] : CHANGEABLE;
    const key = keysOf(base, server).find(
      (one) => !free.includes(one) && !isDeepStrictEqual(valueOf(base, one), valueOf(server, one)),
    );
    if (key !== undefined) return `${id}: a manager of its group does not set ${key}`;
    const [reference] = referencesOf(server).filter((text) => !referencesOf(base).includes(text));
    if (reference !== undefined) return `${id}: a manager of its group adds no reference (${reference})`;
  }
  return undefined;
}

function serversOf(config: Config): Map<string, ServerConfig> {
  return new Map(
    config.groups.flatMap((group) =>
      group.servers.map((server): [string, ServerConfig] => [`${group.name}:${server.name}`, server]),
    ),
  );
}

function keysOf(...servers: readonly ServerConfig[]): string[] {
  return [...new Set(servers.flatMap((server) => Object.keys(server)))];
}

function valueOf(server: ServerConfig, key: string): unknown {
  return (server as Readonly<Record<string, unknown>>)[key];
}

function referencesOf(server: ServerConfig): string[] {
  return JSON.stringify(server).match(/\$\{[^}]*\}/g) ?? [];
}
