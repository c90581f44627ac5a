import { InvalidArgumentError, Option, type Command } from 'commander';
import { EXIT } from '../contract/ipc.ts';
import { createLog } from '../telemetry/log.ts';
import { terminalDestination } from '../telemetry/terminal.ts';
import { isLoopback, served, startWrap, type Wrap } from '../wrap/wrap.ts';
import { CliError } from './cli-error.ts';
import { listenError } from './run.ts';
import { stopped } from './serve.ts';
import type { Program } from './setup.ts';

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly server?: 'stream' | 'sse';
  readonly endpoint?: string;
  readonly streamEndpoint: string;
  readonly sseEndpoint: string;
  readonly apiKey?: string;
  readonly stateless?: boolean;
  readonly shell?: boolean;
  readonly debug?: boolean;
  readonly maxSessions: number;
  readonly sessionIdleTimeout: number;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly gracefulShutdownTimeout: number;
  readonly maxBodySize: number;
}

/** Flags of the npm package `mcp-proxy` that are not taken, and what to do instead. */
const UNSUPPORTED: readonly (readonly [flags: string, instead: string])[] = [
  ['--tunnel', 'nothing is published through third parties'],
  ['--tunnelSubdomain <name>', 'nothing is published through third parties'],
  ['--sslCa <file>', 'let TLS end before the wrapper, for instance at an ingress'],
  ['--sslCert <file>', 'let TLS end before the wrapper, for instance at an ingress'],
  ['--sslKey <file>', 'let TLS end before the wrapper, for instance at an ingress'],
  ['--corsAddAllowedHeader <name>', 'requests of other web origins are refused'],
  [
    '--upstreamProtocol <protocol>',
    'messages pass as they are, in whatever revision client and server agree on',
  ],
  ['--no-modern', 'messages pass as they are, in whatever revision client and server agree on'],
  ['--no-eventStore', 'streams can always be resumed; what is kept for that is bounded'],
  ['--eventStoreMaxEvents <number>', 'streams can always be resumed; what is kept for that is bounded'],
  ['--keepAliveTimeout <ms>', 'streams are kept alive with a comment every 15 s'],
];

/** Adds `toolgate wrap`. */
export function addWrapCommand(root: Command, program: Program): void {
  const ms = (flags: string, what: string, value: number): Option =>
    new Option(`${flags} <ms>`, what).argParser(count).default(value);
  const command = root
    .command('wrap')
    .description('serve a stdio server over HTTP, with the flags of mcp-proxy')
    .argument('<command>', 'the program to run, once for each client')
    .argument('[arguments...]', 'its arguments')
    .passThroughOptions()
    .addOption(
      new Option('-p, --port <port>', 'where to listen; 0 for any free port').argParser(count).default(8080),
    )
    .option('--host <host>', 'where to listen; 0.0.0.0 in a container', '127.0.0.1')
    .addOption(new Option('--server <type>', 'serve only this; both by default').choices(['stream', 'sse']))
    .option('--endpoint <path>', 'the path, instead of /mcp or /sse')
    .option('--streamEndpoint <path>', 'the path of Streamable HTTP', '/mcp')
    .option('--sseEndpoint <path>', 'the path of HTTP+SSE', '/sse')
    .addOption(
      new Option('--apiKey <key>', 'ask for it in X-API-Key or as a bearer; better in the environment').env(
        'MCP_PROXY_API_KEY',
      ),
    )
    .option('--stateless', 'no sessions: one process for all, which can ask its clients nothing')
    .option('--shell', 'run the command by the shell')
    .option('--debug', 'log more')
    .addOption(new Option('--maxSessions <number>', 'how many clients at once').argParser(count).default(64))
    .addOption(ms('--sessionIdleTimeout', 'end idle sessions after this; 0 for never', 1_800_000))
    .addOption(ms('--connectionTimeout', 'how long the server may take to start', 60_000))
    .addOption(ms('--requestTimeout', 'how long a request may take', 300_000))
    .addOption(ms('--gracefulShutdownTimeout', 'how long a stop waits for requests', 5_000))
    .addOption(new Option('--maxBodySize <bytes>', 'of a request').argParser(count).default(10 * 1024 * 1024))
    .action((name: string, args: string[], flags: Flags) => wrap(program, [name, ...args], flags));
  for (const [flags, instead] of UNSUPPORTED) {
    const refuse = (): never => {
      throw new InvalidArgumentError(`not supported: ${instead}.`);
    };
    command.addOption(new Option(flags).argParser(refuse).hideHelp());
    if (!flags.includes('<'))
      command.on(`option:${flags.slice(2)}`, () =>
        command.error(`error: ${flags} is not supported: ${instead}.`, { exitCode: EXIT.usage }),
      );
  }
}

async function wrap(program: Program, command: readonly string[], flags: Flags): Promise<void> {
  const log = createLog(
    flags.debug === true ? 'debug' : 'info',
    process.stderr.isTTY ? terminalDestination(process.stderr) : undefined,
  );
  const { MCP_PROXY_API_KEY: _own, ...env } = program.env;
  const [name = '', ...args] = flags.shell === true ? ['/bin/sh', '-c', command.join(' ')] : command;
  const path = (own: string, kind: 'stream' | 'sse'): string | undefined => {
    if ((flags.server ?? kind) !== kind) return undefined;
    return flags.server === undefined ? own : (flags.endpoint ?? own);
  };
  const options = {
    ...flags,
    launch: { command: name, args, cwd: process.cwd(), env: env as Record<string, string> },
    streamPath: path(flags.streamEndpoint, 'stream'),
    ssePath: path(flags.sseEndpoint, 'sse'),
    apiKey: flags.apiKey,
    stateless: flags.stateless === true,
    idleMs: flags.sessionIdleTimeout,
    connectMs: flags.connectionTimeout,
    requestMs: flags.requestTimeout,
    drainMs: flags.gracefulShutdownTimeout,
    bodyLimit: flags.maxBodySize === 0 ? Infinity : flags.maxBodySize,
    version: program.version,
    log,
  };
  if (flags.endpoint !== undefined && flags.server === undefined)
    throw new CliError('--endpoint needs --server; or use --streamEndpoint and --sseEndpoint', EXIT.usage);
  let running: Wrap;
  try {
    running = await startWrap(options);
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, flags.host, flags.port);
  }
  const addresses = served(options).map((path) => running.address + path);
  process.stdout.write(`Serving ${command.join(' ')} at ${addresses.join(' and ')}. Ctrl-C stops it.\n`);
  if (!isLoopback(flags.host) && flags.apiKey === undefined)
    log.warn(
      `anyone who reaches ${flags.host} can use this server: set MCP_PROXY_API_KEY, or let only the gateway reach it`,
    );
  await stopped();
  await running.close();
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 2 ** 31 - 1) return value;
  throw new InvalidArgumentError('a whole number is needed.');
}
