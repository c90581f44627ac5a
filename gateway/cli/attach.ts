import { Option, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { CLIENTS, type ClientId } from '../contract/import.ts';
import { EXIT } from '../contract/ipc.ts';
import { attached, AttachError, detached, installLinks } from '../registry/import/attach.ts';
import { clientFiles } from '../registry/import/places.ts';
import { replaceFile } from '../storage/replace-file.ts';
import { CliError } from './cli-error.ts';
import type { ClientOptions } from './client.ts';
import type { Shared } from './registry-commands.ts';

interface AttachOptions extends ClientOptions {
  readonly client?: ClientId;
  readonly file?: string;
  readonly name: string;
  readonly path: string;
  readonly dryRun?: boolean;
  readonly link?: boolean;
}

/** Adds `attach` and `detach`, which write the gateway into other clients' lists and take it out again. */
export function addAttachCommands(root: Command, reaching: Shared): void {
  const common = (command: Command): Command =>
    reaching(command)
      .addOption(new Option('--client <client>').choices(CLIENTS))
      .option('--file <file>', "instead of the client's own")
      .option('--name <name>', 'what the gateway is called there', 'toolgate')
      .option('--dry-run', 'show what would change, and change nothing');
  common(root.command('attach'))
    .description("write the gateway into another client's list of MCP servers")
    .option('--path <path>', 'of the gateway: /mcp, /mcp/GROUP or /mcp/GROUP/SERVER', '/mcp')
    .option('--link', 'print links that install it, and write nothing')
    .action(attach);
  common(root.command('detach')).description("take the gateway out of a client's list").action(detach);
}

async function attach(options: AttachOptions): Promise<void> {
  const url = new URL(options.path, options.gateway).href;
  if (options.link === true) {
    for (const [client, link] of Object.entries(installLinks(options.name, url)))
      process.stdout.write(`${client}: ${link}\n`);
    return;
  }
  const client = clientOf(options);
  const token = options.token ?? process.env['TOOLGATE_TOKEN'] ?? '';
  if (token === '' && client !== 'vscode')
    throw new CliError('give the token to write with --token or in TOOLGATE_TOKEN', EXIT.usage);
  const done = await rewrite(client, options, (text) =>
    attached(text, { client, name: options.name, url, token }),
  );
  if (done && client === 'vscode')
    process.stdout.write('VS Code asks for the token when it first starts the server.\n');
}

async function detach(options: AttachOptions): Promise<void> {
  const client = clientOf(options);
  await rewrite(client, options, (text) => detached(text, client, options.name));
}

function clientOf({ client }: AttachOptions): ClientId {
  if (client === undefined)
    throw new CliError(`name the client with --client: ${CLIENTS.join(', ')}`, EXIT.usage);
  return client;
}

/** Resolves with whether the file was changed. What it was before lies beside it. */
async function rewrite(
  client: ClientId,
  options: AttachOptions,
  change: (text: string) => string,
): Promise<boolean> {
  const machine = { platform: process.platform, home: homedir(), env: process.env, folder: process.cwd() };
  const file = options.file ?? clientFiles(machine).find((one) => one.client === client)?.file ?? '';
  const target = resolve(file);
  const there = existsSync(target);
  const before = there ? await readFile(target, 'utf8') : '';
  let after: string;
  try {
    after = change(before);
  } catch (error) {
    if (!(error instanceof AttachError)) throw error;
    throw new CliError(`${target}: ${error.message}`);
  }
  if (after === before) {
    process.stdout.write(`${target} is so already.\n`);
    return false;
  }
  if (options.dryRun === true) {
    process.stdout.write(`${target} would be changed: "${options.name}" in its list. Nothing was changed.\n`);
    return false;
  }
  await mkdir(dirname(target), { recursive: true });
  const backup = `${target}.toolgate-backup`;
  if (there) await copyFile(target, backup);
  // A list with a token in it is for its owner's eyes.
  const mode = there && client === 'vscode' ? (await stat(target)).mode & 0o777 : 0o600;
  await replaceFile(target, after, mode);
  process.stdout.write(`${target} is changed${there ? `; as it was before, it is in ${backup}` : ''}.\n`);
  return true;
}
