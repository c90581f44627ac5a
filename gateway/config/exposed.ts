import { referencesIn } from './references.ts';
import type { Config, ServerConfig } from './schema.ts';

/** A value of the configuration that others on the machine can see, and where it stands. */
export interface Exposed {
  /** `groups[0].servers[1].args[2]`. */
  readonly path: string;
  readonly message: string;
}

/**
 * References in the command line of a server's process: every user of the machine sees their values in the list of
 * processes. They work; they are warned of.
 */
export function exposedReferences(config: Config): Exposed[] {
  return config.groups.flatMap(({ servers }, group) =>
    servers.flatMap((server, at) =>
      exposedOf(server).map(({ path, message }) => ({
        path: `groups[${group}].servers[${at}].${path}`,
        message,
      })),
    ),
  );
}

/** The same of one server, with paths within it. */
export function exposedOf({ command, args }: Pick<ServerConfig, 'command' | 'args'>): Exposed[] {
  if (command === undefined) return [];
  const parts = [
    { path: 'command', text: command },
    ...args.map((text, index) => ({ path: `args[${index}]`, text })),
  ];
  return parts.flatMap(({ path, text }) =>
    written(text).map((reference) => ({
      path,
      message: `the value of ${reference} is seen in the list of processes: give it to the server in env`,
    })),
  );
}

/** Variables that say where things are. */
const PLACES: readonly string[] = ['TOOLGATE_HOME', 'HOME', 'USERPROFILE', 'TMPDIR'];

/** References to what may be a secret. */
function written(text: string): string[] {
  try {
    return referencesIn(text)
      .filter(({ kind, name }) => kind !== 'env' || !PLACES.includes(name))
      .map(({ kind, name }) => `\${${kind}:${name}}`);
  } catch {
    // A mistyped reference is reported where it is resolved.
    return [];
  }
}
