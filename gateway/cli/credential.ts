import type { Command } from 'commander';
import { credentialListSchema, credentialViewSchema } from '../contract/credentials.ts';
import { EXIT } from '../contract/ipc.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';
import { readSecret } from './secret.ts';

interface Options extends ClientOptions {
  readonly json?: boolean;
}

/** `toolgate credential`: what servers ask each person for; `common` adds the options of a running gateway. */
export function addCredentialCommands(root: Command, common: (command: Command) => Command): void {
  const credential = root
    .command('credential')
    .description('give the servers that ask each person for it a key of your own');
  common(credential.command('list').description('list what servers ask you for'))
    .option('--all', 'of everybody who gave any; for administrators')
    .action(list);
  common(
    credential
      .command('set')
      .description('fill in a name; its value is asked for, or read from standard input')
      .argument('<server>', 'group:server')
      .argument('<name>', 'what the server asks for'),
  ).action(set);
  common(
    credential
      .command('remove')
      .description('take back what you gave for a server')
      .argument('<server>', 'group:server'),
  ).action(remove);
}

async function list(options: Options & { readonly all?: boolean }): Promise<void> {
  const path = `/api/v1/credentials${options.all === true ? '?all=true' : ''}`;
  const { credentials } = credentialListSchema.parse(await ask(options, path));
  if (options.json === true) {
    printJson(credentials);
    return;
  }
  if (credentials.length === 0) {
    process.stdout.write('No server that you may use asks you for credentials.\n');
    return;
  }
  const rows = credentials.map(({ server, subject, state, missing }) => [
    server,
    subject,
    state === 'ok' ? 'ok' : `missing: ${missing.join(', ')}`,
  ]);
  process.stdout.write(table(['server', 'whose', 'state'], rows));
}

async function set(server: string, name: string, options: Options): Promise<void> {
  const path = pathOf(server);
  const value = await readSecret(name);
  const view = credentialViewSchema.parse(await ask(options, path, { values: { [name]: value } }, 'PUT'));
  if (options.json === true) printJson(view);
  else if (view.missing.length === 0) process.stdout.write(`${view.server} has all it asks you for.\n`);
  else process.stdout.write(`Kept. ${view.server} still asks for: ${view.missing.join(', ')}\n`);
}

async function remove(server: string, options: Options): Promise<void> {
  const view = credentialViewSchema.parse(await ask(options, pathOf(server), undefined, 'DELETE'));
  if (options.json === true) printJson(view);
  else process.stdout.write(`${view.server} has nothing of yours any more.\n`);
}

function pathOf(server: string): string {
  const [name, group] = server.split(':').reverse();
  if (name === undefined || name === '' || group === undefined)
    throw new CliError(`write the server as group:server, not "${server}"`, EXIT.usage);
  return `/api/v1/credentials/${encodeURIComponent(group)}/${encodeURIComponent(name)}`;
}
