import type { Command } from 'commander';
import { createInterface } from 'node:readline';
import { secretUses } from '../config/unresolved.ts';
import { EXIT } from '../contract/ipc.ts';
import { KEY_FILE_VARIABLE, KEY_VARIABLE, parseKey, removeKeys } from '../storage/master-key.ts';
import { SECRET_NAME } from '../credentials/vault.ts';
import type { FileVault } from '../storage/file-secret-vault.ts';
import { CliError } from './cli-error.ts';
import { printJson, table } from './print.ts';
import { dataFolder, loadConfig, openVault, type LoadedConfig, type Program } from './setup.ts';

interface SecretOptions {
  readonly config: string;
  readonly data?: string;
  readonly json?: boolean;
}

const NEW_KEY_VARIABLE = 'TOOLGATE_NEW_MASTER_KEY';
const MAX_INPUT = 100_000;

/** `toolgate secret`; `common` adds the options that say where the data is. A running gateway follows what is changed. */
export function addSecretCommands(
  root: Command,
  program: Program,
  common: (command: Command) => Command,
): void {
  const secret = root
    .command('secret')
    .description('set, list and delete the secrets that ${secret:NAME} stands for');
  const name = 'the NAME of ${secret:NAME}';
  common(
    secret
      .command('set')
      .description('set a secret; its value is asked for, or read from standard input')
      .argument('<name>', name),
  ).action((which: string, options: SecretOptions) => set(program, which, options));
  common(secret.command('list').description('list secrets and what uses them; never their values')).action(
    (options: SecretOptions) => list(program, options),
  );
  common(
    secret
      .command('delete')
      .description('delete a secret')
      .argument('<name>', name)
      .option('--force', 'though the configuration refers to it'),
  ).action((which: string, options: SecretOptions & { force?: boolean }) => remove(program, which, options));
  common(
    secret
      .command('rotate-key')
      .description(`encrypt all secrets under another master key: a new one, or that of ${NEW_KEY_VARIABLE}`),
  ).action((options: SecretOptions) => rotateKey(program, options));
}

async function set(program: Program, name: string, options: SecretOptions): Promise<void> {
  if (!SECRET_NAME.test(name))
    throw new CliError(`"${name}" is no name: use 1 to 100 letters, digits and . _ -`, EXIT.usage);
  const value = await readSecret(name);
  if (value === '') throw new CliError('the value is empty; nothing was changed', EXIT.usage);
  await withVault(program, options, async (vault) => {
    await vault.set(name, value);
    if (options.json === true) printJson({ set: name });
    else process.stdout.write(`Set ${name}.\n`);
  });
}

async function list(program: Program, options: SecretOptions): Promise<void> {
  await withVault(program, options, (vault, { config }) => {
    const uses = secretUses(config);
    const secrets = vault
      .list()
      .filter(({ name }) => SECRET_NAME.test(name))
      .map((entry) => ({ ...entry, usedBy: uses.get(entry.name) ?? [] }));
    if (options.json === true) {
      printJson(secrets);
      return;
    }
    if (secrets.length === 0) {
      process.stdout.write('No secrets yet. Set one: toolgate secret set NAME\n');
      return;
    }
    const rows = secrets.map(({ name, updatedAt, usedBy }) => [
      name,
      updatedAt?.slice(0, 16) ?? '',
      usedBy.join(', ') || 'nothing',
    ]);
    process.stdout.write(table(['name', 'set', 'used by'], rows));
  });
}

async function remove(
  program: Program,
  name: string,
  options: SecretOptions & { force?: boolean },
): Promise<void> {
  await withVault(program, options, async (vault, { config }) => {
    const usedBy = secretUses(config).get(name) ?? [];
    if (usedBy.length > 0 && options.force !== true)
      throw new CliError(`${usedBy.join(', ')} would lose it; take the reference out first, or use --force`);
    if (!(await vault.delete(name)))
      throw new CliError(`there is no secret "${name}"; toolgate secret list shows them`);
    if (options.json === true) printJson({ deleted: name });
    else process.stdout.write(`Deleted ${name}.\n`);
  });
}

async function rotateKey(program: Program, options: SecretOptions): Promise<void> {
  const given = program.env[NEW_KEY_VARIABLE];
  await withVault(program, options, async (vault, loaded) => {
    await vault.rotate(given === undefined ? undefined : parseKey(given, NEW_KEY_VARIABLE));
    // Nothing is encrypted under the key that the gateway made itself, once there is one of a person's own.
    const removed = given !== undefined && (await removeKeys(dataFolder(loaded, options.data)));
    const count = vault.list().length;
    if (options.json === true) {
      printJson({ resealed: count, removedKeyFile: removed });
      return;
    }
    process.stdout.write(`${count} secrets are encrypted under the new master key. `);
    process.stdout.write(given === undefined ? 'Running gateways follow.\n' : OWN_KEY);
    if (removed) process.stdout.write('The master.key that the gateway had made is removed.\n');
  });
}

const OWN_KEY = `Put it where the gateway takes its key from (${KEY_VARIABLE} or the file of ${KEY_FILE_VARIABLE}); a running gateway
reads such a file again by itself, and has to be started again with a new variable.
`;

async function withVault(
  program: Program,
  options: SecretOptions,
  work: (vault: FileVault, loaded: LoadedConfig) => Promise<void> | void,
): Promise<void> {
  const loaded = loadConfig(options.config);
  const vault = await openVault(program, dataFolder(loaded, options.data), () => undefined);
  try {
    await work(vault, loaded);
  } catch (error) {
    throw error instanceof CliError ? error : new CliError((error as Error).message);
  } finally {
    await vault.close();
  }
}

/** Asked without an echo on a terminal; else all of standard input, its last line break left out. */
export async function readSecret(name: string): Promise<string> {
  if (process.stdin.isTTY) return askHidden(`Value of ${name} (not shown): `);
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_INPUT) throw new CliError(`the value is over ${MAX_INPUT} characters`, EXIT.usage);
  }
  return text.replace(/\r?\n$/, '');
}

function askHidden(question: string): Promise<string> {
  return new Promise((resolve) => {
    process.stderr.write(question);
    const lines = createInterface({ input: process.stdin, terminal: true });
    lines.once('line', (line) => {
      process.stderr.write('\n');
      lines.close();
      resolve(line);
    });
    lines.once('close', () => resolve(''));
  });
}
