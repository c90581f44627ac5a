import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { ServerConfig } from '../config/schema.ts';

/** How a server's process is started, references resolved. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * What a server inherits of the gateway's environment: where programs, homes, certificates and proxies are, and
 * never a secret the gateway was given.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'APPDATA',
  'LOCALAPPDATA',
  'PROGRAMDATA',
  'PROGRAMFILES',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'USERPROFILE',
  'PATHEXT',
  'COMSPEC',
];

export interface LaunchContext {
  /** The configuration file's folder: what `cwd` is relative to. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** The Node that runs the gateway; stands in where a machine has no `node` of its own, as under VS Code. */
  readonly execPath: string;
  readonly resolve: (text: string) => string;
  /** The `PATH` of the user's login shell, asked for where a command is not found without it. */
  readonly loginPath?: Promise<string | undefined> | undefined;
}

/** Builds the launch, with the `PATH` of the login shell where its command is not found on the gateway's own. */
export async function prepareLaunch(config: ServerConfig, context: LaunchContext): Promise<Launch> {
  const launch = buildLaunch(config, context);
  const { PATH = '' } = launch.env;
  if (context.loginPath === undefined || 'PATH' in config.env) return launch;
  if (launch.command.includes('/') || onPath(launch.command, PATH)) return launch;
  const loginPath = await context.loginPath;
  if (loginPath === undefined) return launch;
  return buildLaunch(config, { ...context, env: { ...context.env, PATH: joinPaths(loginPath, PATH) } });
}

/** Builds the launch of a server with a `command`. Throws a `ReferenceError` for a reference without a value. */
export function buildLaunch(config: ServerConfig, context: LaunchContext): Launch {
  if (config.command === undefined) throw new Error('only a server with a command can be launched');
  const inherited = INHERITED.flatMap((name) => {
    const value = context.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const own = Object.entries(config.env).map(([name, value]) => [name, context.resolve(value)] as const);
  const env: Record<string, string> = Object.fromEntries([...inherited, ...own]);
  let command = context.resolve(config.command);
  if (command === 'node' && !onPath(command, env['PATH'] ?? '')) {
    command = context.execPath;
    // Only Electron reads it; there it makes the program behave as plain Node.
    env['ELECTRON_RUN_AS_NODE'] = '1';
  }
  return {
    command,
    args: config.args.map((argument) => context.resolve(argument)),
    cwd: config.cwd === undefined ? context.folder : resolve(context.folder, context.resolve(config.cwd)),
    env,
  };
}

function onPath(command: string, path: string): boolean {
  const names = process.platform === 'win32' ? [`${command}.exe`, `${command}.cmd`] : [command];
  return path.split(delimiter).some((folder) =>
    names.some((name) => {
      if (!isAbsolute(folder)) return false;
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}

/** Both paths as one, the first one's folders first. */
function joinPaths(first: string, second: string): string {
  return [...new Set([...first.split(delimiter), ...second.split(delimiter)])]
    .filter((folder) => folder !== '')
    .join(delimiter);
}
