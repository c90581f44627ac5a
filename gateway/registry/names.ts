import type { ServerEntry } from './entry.ts';

/** Between a server's and a tool's name in aggregates: `server__tool`. No server's name contains it. */
export const SEPARATOR = '__';
/** Model APIs refuse longer function names. */
export const NAME_LIMIT = 64;

/**
 * The prefix of each server's names in an aggregate over `all` servers: the server's name, or `group__server`
 * for servers whose name occurs in several groups. It depends on the registry alone, never on who asks. No two
 * prefixes can give one name, whatever the tools are called: a server that is named like a group in use as a
 * prefix (`dev`, beside `dev__github`, with a tool `github__x`) gets its own group before it too.
 */
export function aggregatePrefixes(all: readonly ServerEntry[]): ReadonlyMap<string, string> {
  const count = new Map<string, number>();
  for (const { name } of all) count.set(name, (count.get(name) ?? 0) + 1);
  let long = new Set(all.filter(({ name }) => (count.get(name) ?? 0) > 1));
  for (let before = -1; before < long.size;) {
    before = long.size;
    const groups = new Set([...long].map(({ group }) => group));
    long = new Set(all.filter((entry) => long.has(entry) || groups.has(entry.name)));
  }
  return new Map(
    all.map((entry) => [entry.id, long.has(entry) ? `${entry.group}${SEPARATOR}${entry.name}` : entry.name]),
  );
}

/**
 * The servers that a name means: `tenant:group:server` with the tenant's name or an alias, `group:server`, or
 * `server`. More than one only for a bare name that several groups use.
 */
export function resolveServer(
  name: string,
  entries: readonly ServerEntry[],
  tenants: readonly string[],
): readonly ServerEntry[] {
  const parts = name.split(':');
  const [first = '', ...rest] = parts;
  if (parts.length === 1) return entries.filter((entry) => entry.name === name);
  if (parts.length === 3 && !tenants.includes(first)) return [];
  const id = parts.length === 3 ? rest.join(':') : name;
  return entries.filter((entry) => entry.id === id);
}
