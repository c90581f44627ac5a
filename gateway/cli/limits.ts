import type { Command } from 'commander';
import { amountText, holderText, limitListSchema, type CounterView } from '../contract/limits.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

interface Options extends ClientOptions {
  readonly json?: boolean;
}

/** `toolgate limits …`; `remote` adds the options that say where the gateway is. */
export function addLimitCommands(root: Command, remote: (command: Command) => Command): void {
  const limits = root.command('limits').description('what is used of rate limits and budgets');
  remote(limits.command('list', { isDefault: true }).description('list the counters')).action(list);
  remote(limits.command('reset').description('begin the counters of a policy anew'))
    .argument('<policy>')
    .action(reset);
}

async function list(options: Options): Promise<void> {
  const answer = limitListSchema.parse(await ask(options, '/api/v1/limits'));
  if (options.json === true) {
    printJson(answer);
    return;
  }
  if (answer.counters.length === 0) {
    process.stdout.write('Nothing has been counted yet.\n');
    return;
  }
  process.stdout.write(table(['policy', 'whose', 'used', 'of', 'left', 'until'], answer.counters.map(row)));
}

function row({
  policy,
  mode,
  holder,
  used,
  unit,
  limit,
  remaining,
  resetsAt,
  roomAt,
}: CounterView): string[] {
  return [
    mode === 'audit' ? `${policy} (audit)` : policy,
    holderText(holder) || 'all',
    amountText(used, unit),
    limit,
    amountText(remaining, unit),
    resetsAt !== null ? isoOf(resetsAt).slice(0, 10) : roomAt === null ? '' : isoOf(roomAt).slice(0, 16),
  ];
}

async function reset(policy: string, options: Options): Promise<void> {
  await ask(options, `/api/v1/limits/${encodeURIComponent(policy)}`, undefined, 'DELETE');
  process.stdout.write(`The counters of ${policy} begin anew.\n`);
}

function isoOf(at: number): string {
  return new Date(at).toISOString();
}
