import type { Command } from 'commander';
import { createTwoFilesPatch } from 'diff';
import { styleText } from 'node:util';
import { EXIT } from '../contract/ipc.ts';
import { changeTitle, changeWords, definitionText, visible } from '../contract/pin-text.ts';
import { pinsViewSchema, type PinChange, type ServerPinsView } from '../contract/pins.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

interface Options extends ClientOptions {
  readonly json?: boolean;
}

const HASH_SHOWN = 12;

/** `toolgate pins …`; `remote` adds the options that say where the gateway is. */
export function addPinsCommand(root: Command, remote: (command: Command) => Command): void {
  const pins = root
    .command('pins')
    .description('review the definitions that servers of a running gateway have changed');
  remote(pins.command('list').description('list what waits for review'))
    .argument('[server]', 'tenant:group:server, group:server or server; all by default')
    .action(list);
  remote(pins.command('show').description('show what has changed'))
    .argument('<server>', 'its name or address')
    .argument('[names...]', 'of tools and prompts, or "instructions"; all by default')
    .action(show);
  remote(pins.command('accept').description('accept definitions as they are offered'))
    .argument('<server>', 'its name or address')
    .argument('[names...]', 'NAME, or NAME@HASH to be sure that it is what was shown')
    .option('--all', 'whatever the server offers')
    .action((server: string, names: string[], options: Options & { all?: boolean }) =>
      decide('accept', server, names, options),
    );
  remote(pins.command('reject').description('keep definitions hidden, and count them as reviewed'))
    .argument('<server>', 'its name or address')
    .argument('[names...]', 'NAME or NAME@HASH')
    .option('--all', 'whatever waits')
    .action((server: string, names: string[], options: Options & { all?: boolean }) =>
      decide('reject', server, names, options),
    );
}

async function list(server: string | undefined, options: Options): Promise<void> {
  const servers = await read(server, options);
  if (options.json === true) {
    printJson({ servers });
    return;
  }
  const rows = servers.flatMap((one) =>
    one.changes.map((change) => [
      one.server,
      changeTitle(change),
      changeWords(change),
      change.at.slice(0, 16),
      change.hash.slice(0, HASH_SHOWN),
    ]),
  );
  if (rows.length === 0) process.stdout.write('Nothing waits for review.\n');
  else process.stdout.write(table(['server', 'what', 'change', 'since', 'hash'], rows));
}

async function show(server: string, names: string[], options: Options): Promise<void> {
  const [found] = await read(server, options);
  const changes = chosen(found, names);
  if (options.json === true) {
    printJson({ server: found?.server, changes });
    return;
  }
  if (found === undefined || changes.length === 0) {
    process.stdout.write(`Nothing of ${found?.server ?? server} waits for review.\n`);
    return;
  }
  process.stdout.write(changes.map((change) => difference(found.server, change)).join('\n'));
}

async function decide(
  how: 'accept' | 'reject',
  server: string,
  names: string[],
  options: Options & { readonly all?: boolean },
): Promise<void> {
  if (names.length === 0 && options.all !== true)
    throw new CliError(`name what to ${how}, or give --all`, EXIT.usage);
  const [found] = await read(server, options);
  const all = chosen(found, names);
  const items = how === 'reject' ? all.filter(({ state }) => state === 'waiting') : all;
  if (items.length > 0) {
    await ask(options, `/api/v1/pins/${how}`, {
      server: found?.server,
      items: items.map(({ kind, name, hash }) => ({ kind, name, hash })),
    });
  }
  if (options.json === true)
    printJson({ server: found?.server, [`${how}ed`]: items.map(({ hash }) => hash) });
  else if (items.length === 0) process.stdout.write('Nothing waits for review.\n');
  else process.stdout.write(items.map((item) => `${how}ed ${changeTitle(item)}\n`).join(''));
}

async function read(server: string | undefined, options: Options): Promise<ServerPinsView[]> {
  const query = server === undefined ? '' : `?${new URLSearchParams({ server }).toString()}`;
  return pinsViewSchema.parse(await ask(options, `/api/v1/pins${query}`)).servers;
}

/** The changes of these names, `NAME` or `NAME@HASH`; of all, when there are none. */
function chosen(server: ServerPinsView | undefined, names: readonly string[]): PinChange[] {
  const changes = server?.changes ?? [];
  const found = names.flatMap((asked) => {
    const matching = changes.filter((change) => isMeant(change, asked));
    if (matching.length > 0) return matching;
    throw new CliError(
      `"${asked}" of ${server?.server ?? 'the server'} does not wait for review; toolgate pins list shows what does`,
    );
  });
  return names.length === 0 ? changes : found;
}

function isMeant({ kind, name, hash }: PinChange, asked: string): boolean {
  const called = name === '' ? kind : name;
  if (asked === called) return true;
  const at = asked.lastIndexOf('@');
  return (
    at > 0 && asked.slice(0, at) === called && at + 1 < asked.length && hash.startsWith(asked.slice(at + 1))
  );
}

function difference(server: string, change: PinChange): string {
  const { kind, name, hash, accepted, offered, offeredTo } = change;
  const patch = createTwoFilesPatch(
    'accepted',
    'offered',
    definitionText(accepted?.content),
    definitionText(offered),
    accepted === undefined ? 'never' : `${accepted.at} by ${accepted.by}`,
    change.at,
  );
  const lines = patch
    .split('\n')
    .filter((line) => !line.startsWith('===') && !line.startsWith('\\ No newline'));
  const special = offeredTo.filter((capabilities) => capabilities !== '');
  const to = special.length === 0 ? '' : `, offered to clients with ${special.join(' and with ')}`;
  const named = name === '' ? kind : visible(name);
  return [
    styleText('bold', `${visible(server)}: ${changeTitle(change)} (${changeWords(change)}${to})`),
    ...lines.map(coloured),
    `Accept with: toolgate pins accept ${server} ${quoted(`${named}@${hash.slice(0, HASH_SHOWN)}`)}`,
    '',
  ].join('\n');
}

function coloured(line: string): string {
  if (line.startsWith('+')) return styleText('green', line);
  if (line.startsWith('-')) return styleText('red', line);
  return line.startsWith('@@') ? styleText('cyan', line) : line;
}

function quoted(word: string): string {
  return /^[\w.@:/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
