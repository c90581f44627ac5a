import { Option, type Command } from 'commander';
import { presetsSchema, type Presets } from '../contract/presets.ts';
import { EXIT } from '../contract/ipc.ts';
import { secretVariable } from '../export/bundle.ts';
import { submit, type ChangeOptions } from './change.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';
import type { Shared } from './registry-commands.ts';

interface SearchOptions extends ClientOptions {
  readonly registry?: string;
  readonly allowPrivateAddress?: boolean;
  readonly json?: boolean;
}

/** Adds `preset`: known servers, shipped or of an MCP registry. */
export function addPresetCommands(root: Command, reaching: Shared): void {
  const preset = root.command('preset').description('known servers, ready to be registered');
  const searching = (command: Command): Command =>
    reaching(command)
      .addOption(
        new Option(
          '--registry <address>',
          'of an MCP registry, such as https://registry.modelcontextprotocol.io',
        ),
      )
      .option('--allow-private-address', 'consent to a registry on this machine or its network');
  searching(preset.command('search'))
    .description('show those that fit, or all')
    .argument('[words...]')
    .action(search);
  searching(preset.command('add'))
    .description('register one')
    .argument('<name>')
    .requiredOption('-g, --group <group>', 'the group it shall belong to')
    .option('--as <name>', 'another name for it')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('-y, --yes', 'do not ask before a command is run')
    .action(add);
}

async function search(words: readonly string[], options: SearchOptions): Promise<void> {
  const { presets, problems } = await find(words.join(' '), options);
  if (options.json === true) {
    printJson({ presets, problems });
    return;
  }
  if (presets.length === 0) process.stdout.write('Nothing fits.\n');
  else
    process.stdout.write(
      table(
        ['name', 'auth', 'at', 'description'],
        presets.map(({ name, auth, server, description }) => [
          name,
          auth,
          typeof server['url'] === 'string'
            ? server['url']
            : String((server as { command?: string }).command),
          plain(description),
        ]),
      ),
    );
  for (const { name, message } of problems) process.stdout.write(`! ${name}: ${plain(message)}\n`);
}

async function add(
  name: string,
  options: SearchOptions & ChangeOptions & { readonly group: string; readonly as?: string },
): Promise<void> {
  const { presets } = await find(name, options);
  const preset = presets.find((one) => one.name === name);
  if (preset === undefined)
    throw new CliError(
      `there is no preset "${name}"; toolgate preset search shows which there are`,
      EXIT.usage,
    );
  const server = { ...preset.server, name: options.as ?? preset.server.name };
  const path = `/api/v1/groups/${encodeURIComponent(options.group)}/servers`;
  await submit({ method: 'POST', path, body: { server } }, options);
  if (options.json === true) return;
  const { credential, note } = preset;
  if (note !== undefined) process.stdout.write(`${note}\n`);
  if (credential !== undefined) {
    const where = credential.where === undefined ? '' : ` (${credential.where})`;
    process.stdout.write(
      `It needs ${plain(credential.what)}${where} as the secret ${credential.secret}: headless, set ${secretVariable(credential.secret)}.\n`,
    );
  }
}

async function find(
  q: string,
  { registry, allowPrivateAddress, ...client }: SearchOptions,
): Promise<Presets> {
  const query = new URLSearchParams({
    q,
    ...(registry !== undefined && { registry }),
    ...(allowPrivateAddress === true && { allowPrivateAddress: 'true' }),
  });
  return presetsSchema.parse(await ask(client, `/api/v1/presets?${query.toString()}`));
}

/** What a stranger wrote, in one line and without control characters. */
function plain(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, ' ').slice(0, 120);
}
