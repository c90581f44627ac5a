import { createHash } from 'node:crypto';
import type { LaunchView } from '../contract/config.ts';
import type { Config, ServerConfig } from '../config/schema.ts';

/** The command a server is, with the hash of {command, args, names of env, cwd} that a consent is for. */
export function launchOf({ command, args, env, cwd }: ServerConfig): LaunchView | undefined {
  if (command === undefined) return undefined;
  const launch = { command, args: [...args], env: Object.keys(env).sort(), cwd: cwd ?? null };
  const consent = createHash('sha256').update(JSON.stringify(launch)).digest('hex');
  return { consent, ...launch };
}

/** The commands that `after` would run and `before` does not: whoever changes the one into the other consents. */
export function newLaunches(before: Config, after: Config): LaunchView[] {
  const known = new Set(launchesOf(before).map(({ consent }) => consent));
  const found = launchesOf(after).filter(({ consent }) => !known.has(consent));
  return [...new Map(found.map((launch) => [launch.consent, launch])).values()];
}

function launchesOf(config: Config): LaunchView[] {
  return config.groups.flatMap(({ servers }) => servers.flatMap((server) => launchOf(server) ?? []));
}
