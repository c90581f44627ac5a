import type { Command } from 'commander';
import { approvalState, approvalText, approvalTitle, scopeOf } from '../contract/approval-text.ts';
import {
  approvalGrantListSchema,
  approvalListSchema,
  approvalViewSchema,
  type ApprovalView,
} from '../contract/approvals.ts';
import { EXIT } from '../contract/ipc.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

interface Options extends ClientOptions {
  readonly json?: boolean;
}

/** `toolgate approvals …`; `remote` adds the options that say where the gateway is. */
export function addApprovalCommands(root: Command, remote: (command: Command) => Command): void {
  const approvals = root.command('approvals').description('decide the calls that wait for approval');
  remote(approvals.command('list', { isDefault: true }).description('list what waits for your word'))
    .option('--all', 'also what is decided, and what is yours')
    .action(list);
  remote(approvals.command('show').description('show one: who, what, why, and with which arguments'))
    .argument('<id>')
    .action(show);
  remote(approvals.command('approve').description('let a call through'))
    .argument('<id>')
    .option(
      '--for <scope>',
      'once, session (this run or MCP session), or a time such as 15m, for this caller and tool',
      'once',
    )
    .action(approve);
  remote(approvals.command('deny').description('refuse a call'))
    .argument('<id>')
    .option('--reason <words>', 'told to the caller and its model')
    .action(deny);
  remote(approvals.command('grants').description('list standing approvals')).action(grants);
  remote(approvals.command('revoke').description('take a standing approval back'))
    .argument('<id>')
    .action(revoke);
}

async function list(options: Options & { all?: boolean }): Promise<void> {
  const status = options.all === true ? 'all' : 'pending';
  const answer = approvalListSchema.parse(await ask(options, `/api/v1/approvals?status=${status}`));
  if (options.json === true) {
    printJson(answer);
    return;
  }
  if (answer.approvals.length === 0) {
    process.stdout.write('Nothing waits for approval.\n');
    return;
  }
  const rows = answer.approvals.map((one) => [
    one.id,
    approvalTitle(one),
    one.status === 'pending' && !one.mayDecide
      ? `${approvalState(one, Date.now())}, not for you`
      : approvalState(one, Date.now()),
    one.reason,
  ]);
  process.stdout.write(table(['id', 'what', 'state', 'why'], rows));
}

async function show(id: string, options: Options): Promise<void> {
  print(options, await ask(options, `/api/v1/approvals/${encodeURIComponent(id)}`), (one) =>
    approvalText(one, Date.now()),
  );
}

async function approve(id: string, options: Options & { for: string }): Promise<void> {
  const scope = scopeOf(options.for);
  if (scope === undefined)
    throw new CliError('--for: write once, session, or 1m to 8h, such as 15m', EXIT.usage);
  print(
    options,
    await ask(options, `/api/v1/approvals/${encodeURIComponent(id)}/approve`, { scope }),
    sayState,
  );
}

async function deny(id: string, options: Options & { reason?: string }): Promise<void> {
  const { reason } = options;
  const body = reason === undefined ? {} : { reason };
  print(options, await ask(options, `/api/v1/approvals/${encodeURIComponent(id)}/deny`, body), sayState);
}

function sayState(one: ApprovalView): string {
  return `${approvalTitle(one)}: ${approvalState(one, Date.now())}`;
}

function print(options: Options, answer: unknown, words: (one: ApprovalView) => string): void {
  const one = approvalViewSchema.parse(answer);
  if (options.json === true) printJson(one);
  else process.stdout.write(`${words(one)}\n`);
}

async function grants(options: Options): Promise<void> {
  const answer = approvalGrantListSchema.parse(await ask(options, '/api/v1/approval-grants'));
  if (options.json === true) {
    printJson(answer);
    return;
  }
  if (answer.grants.length === 0) {
    process.stdout.write('No standing approvals.\n');
    return;
  }
  const rows = answer.grants.map((one) => [
    ...[one.id, one.subject, one.server, one.tool, one.session ?? 'any', one.by, String(one.uses)],
    new Date(one.expiresAt).toISOString().replace(/:\d\d\.\d+/, ''),
  ]);
  process.stdout.write(table(['id', 'whose', 'server', 'tool', 'session', 'by', 'uses', 'until'], rows));
}

async function revoke(id: string, options: Options): Promise<void> {
  await ask(options, `/api/v1/approval-grants/${encodeURIComponent(id)}`, undefined, 'DELETE');
  process.stdout.write(`${id} holds no more.\n`);
}
