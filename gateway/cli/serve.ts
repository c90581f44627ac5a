import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newToken } from '../contract/token.ts';
import type { Catalog } from '../registry/catalog.ts';
import { createLog, type LogLevel } from '../telemetry/log.ts';
import { terminalDestination } from '../telemetry/terminal.ts';
import { runGateway, type Running } from './run.ts';
import { dataFolder, loadConfig, type Program } from './setup.ts';

export interface ServeOptions {
  readonly config: string;
  readonly data?: string;
  readonly port?: number;
  readonly sessionToken?: boolean;
  readonly loginPath?: boolean;
  readonly logLevel: LogLevel;
}

/** `toolgate serve`: runs until it is told to stop, then leaves no process behind. */
export async function serve(program: Program, options: ServeOptions): Promise<void> {
  const loaded = loadConfig(options.config);
  const log = createLog(
    options.logLevel,
    process.stderr.isTTY ? terminalDestination(process.stderr) : undefined,
  );
  const ownerToken = options.sessionToken === true ? newToken('pat', randomBytes(32)) : undefined;
  const firstToken = ownerToken === undefined;
  const running = await runGateway(program, loaded, { ...options, ownerToken, firstToken, log });
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  // What is no terminal may be a log that others read; there a link goes with a token that is printed anyway.
  const bearer = ownerToken ?? (terminal ? running.firstToken : undefined);
  process.stdout.write(
    banner(program, running, ownerToken, options.config, consoleLine(running, bearer, terminal)),
  );
  if (terminal && bearer !== undefined) offerLinks(running, bearer);
  if (running.firstToken !== undefined)
    process.stdout.write(await handOver(running.firstToken, dataFolder(loaded, options.data)));
  void running.gateway.catalog
    .settled(undefined, { afresh: true })
    .then(() => process.stdout.write(serverLines(running.gateway.catalog)));
  await stopped();
  process.stdin.pause();
  await running.close();
}

function consoleLine({ address, gateway }: Running, bearer: string | undefined, terminal: boolean): string {
  const link = bearer === undefined ? undefined : gateway.consoleLink(bearer);
  if (link === undefined) return `${address}/   (toolgate console makes a link that signs you in)`;
  const more = terminal ? 'Enter prints another' : 'toolgate console makes another';
  return `${link}\n            (signs your browser in, once, within 5 minutes; ${more})`;
}

/** A link serves once: whoever needs another presses Enter. */
function offerLinks({ gateway }: Running, bearer: string): void {
  process.stdin.on('data', () => {
    const link = gateway.consoleLink(bearer);
    if (link !== undefined) process.stdout.write(`  Console   ${link}\n`);
  });
}

/** Resolves at the first signal to stop; a second one ends the process at once. */
export function stopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        // A terminal and npm both pass Ctrl-C on, so the same wish arrives twice at once.
        if (!asked) setTimeout(() => process.on(signal, () => process.exit(1)), 1_000).unref();
        asked = true;
        resolve();
      });
    }
  });
}

/**
 * Gives the first administrator's token to whoever starts the gateway: on a terminal, once; else in a file that only its
 * user can read, since what is not a terminal may be a log that others read.
 */
async function handOver(token: string, folder: string): Promise<string> {
  if (process.stdout.isTTY) return `  Your administrator token, shown this once:\n  ${token}\n\n`;
  const file = join(folder, 'administrator.token');
  // One that was left behind would keep its own mode.
  await rm(file, { force: true });
  await writeFile(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return `  Your administrator token is in ${file}. Take it from there, then delete the file.\n\n`;
}

const EXAMPLE = 'Add 2 and 3, then multiply the result by 4';

function banner(
  program: Program,
  running: Running,
  token: string | undefined,
  config: string,
  console: string,
): string {
  const { address, gateway } = running;
  const lines = [
    `Toolgate ${program.version} is running. Ctrl-C stops it and every server it started.`,
    '',
    `  Console   ${console}`,
    `  MCP       ${address}/mcp`,
  ];
  if (token === undefined && running.firstToken === undefined) {
    const none = running.tokens === 0 ? 'No token exists yet. Make one' : 'Make a token';
    lines.push(`  Token     ${none}: toolgate token create --config ${config} --name me --administrator`);
  } else if (token !== undefined) {
    lines.push(`  Token     ${token}   (holds until the gateway stops)`);
    const fqn = gateway.catalog.entries()[0]?.fqn;
    const body = {
      model: 'demo/planner',
      stream: true,
      messages: [{ role: 'user', content: EXAMPLE }],
      mcp_servers: fqn === undefined ? [] : [{ integration_fqn: fqn }],
    };
    lines.push(
      '',
      '  Ask the agent (demo/planner is a scripted demo model: no key, no network):',
      `  curl -N ${address}/api/llm/agent/responses \\`,
      `    -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' \\`,
      `    -d '${JSON.stringify(body)}'`,
    );
  }
  return `${lines.join('\n')}\n\n`;
}

function serverLines(catalog: Catalog): string {
  const entries = catalog.entries();
  if (entries.length === 0) return '  No servers yet: add groups with servers to the configuration.\n';
  const width = Math.max(...entries.map(({ fqn }) => fqn.length));
  return entries
    .map(({ fqn, status, capabilities }) => {
      const atRest = status.state === 'stopped' && status.lastError === undefined;
      const known = status.state === 'ready' || atRest;
      const what = known ? `${capabilities.tools.length} tools` : (status.lastError ?? '');
      return `  ${fqn.padEnd(width)}  ${status.state}${what === '' ? '' : `, ${what}`}\n`;
    })
    .join('');
}
