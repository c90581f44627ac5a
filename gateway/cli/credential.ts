import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  authorizeSchema,
  credentialListSchema,
  credentialViewSchema,
  type CredentialView,
} from '../contract/credentials.ts';
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
      .command('login')
      .description(
        'sign in to a server that wants it; prints the address to open, and waits until that is done',
      )
      .argument('<server>', 'group:server'),
  )
    .option('--no-wait', 'print the address only')
    .action(login);
  common(
    credential
      .command('renew')
      .description('renew the token of a sign-in now')
      .argument('<server>', 'group:server'),
  ).action(renew);
  common(
    credential
      .command('remove')
      .description('take back what you gave for a server, or sign out of it')
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
  const rows = credentials.map((view) => [view.server, view.subject, stateOf(view)]);
  process.stdout.write(table(['server', 'whose', 'state'], rows));
}

function stateOf({ state, missing, validUntil, renews, problem }: CredentialView): string {
  if (state === 'missing') return `missing: ${missing.join(', ')}`;
  if (state === 'consent')
    return problem === undefined ? 'needs a sign-in' : `needs a new sign-in: ${problem}`;
  if (validUntil === undefined) return 'ok';
  return `ok until ${validUntil}${renews === true ? ', renewed by itself' : ''}`;
}

/** How often, and for how long, it is asked whether somebody has signed in. */
const LOOK_MS = 1_000;
const WAIT_MS = 10 * 60_000;

async function login(server: string, options: Options & { readonly wait: boolean }): Promise<void> {
  const path = pathOf(server);
  const { url, expiresAt } = authorizeSchema.parse(await ask(options, `${path}/authorize`, {}));
  if (!options.wait && options.json === true) printJson({ url, expiresAt });
  else process.stdout.write(`Open this address in a browser, and sign in there:\n\n  ${url}\n\n`);
  if (!options.wait) return;
  const before = (await viewOf(options, server))?.signedInAt;
  for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
    await sleep(LOOK_MS);
    const view = await viewOf(options, server);
    if (view?.state !== 'ok' || view.signedInAt === before) continue;
    if (options.json === true) printJson(view);
    else process.stdout.write(`Signed in to ${view.server}: ${stateOf(view)}.\n`);
    return;
  }
  throw new CliError('nobody signed in within ten minutes', EXIT.failed);
}

async function renew(server: string, options: Options): Promise<void> {
  const view = credentialViewSchema.parse(await ask(options, `${pathOf(server)}/renew`, {}));
  if (options.json === true) printJson(view);
  else process.stdout.write(`${view.server}: ${stateOf(view)}.\n`);
}

async function viewOf(options: Options, server: string): Promise<CredentialView | undefined> {
  const { credentials } = credentialListSchema.parse(await ask(options, '/api/v1/credentials'));
  return credentials.find((one) => one.server.endsWith(`:${server}`) || one.server === server);
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
