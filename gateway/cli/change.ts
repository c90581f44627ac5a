import { createInterface } from 'node:readline/promises';
import { configChangedSchema, type ConfigChange, type ConfigChanged } from '../contract/config.ts';
import { EXIT } from '../contract/ipc.ts';
import { CliError } from './cli-error.ts';
import { ask, RefusedError, type ClientOptions, type Method } from './client.ts';
import { printJson } from './print.ts';

export interface ChangeOptions extends ClientOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** A change of a running gateway's configuration. */
export interface Change {
  readonly method: Method;
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** A command that was typed out for this change: typing it is the consent to run it. */
  readonly typed?: readonly string[];
}

/**
 * Makes a change and prints what it changed. New commands want consent: it is asked for on a terminal, and given
 * beforehand by `--yes`.
 */
export async function submit(change: Change, options: ChangeOptions): Promise<void> {
  const and = change.path.includes('?') ? '&' : '?';
  const path = `${change.path}${options.dryRun === true ? `${and}dryRun=true` : ''}`;
  const send = (consents: readonly string[]): Promise<unknown> =>
    ask(options, path, { ...change.body, consents }, change.method);
  let answer: unknown;
  try {
    answer = await send([]);
  } catch (error) {
    const launches = error instanceof RefusedError ? error.problem.launches : undefined;
    if (launches === undefined) throw error;
    const asked = launches.filter(
      ({ command, args }) => JSON.stringify([command, ...args]) !== JSON.stringify(change.typed),
    );
    if (asked.length > 0) {
      const lines = asked.map(({ command, args }) => `  ${[command, ...args].join(' ')}\n`).join('');
      await confirm(`This runs on the gateway's machine:\n${lines}Go on?`, options);
    }
    answer = await send(launches.map(({ consent }) => consent));
  }
  report(configChangedSchema.parse(answer), options);
}

/** Asks on a terminal, unless `--yes` has answered. Rejects with a `CliError` on a no, and where nobody can be asked. */
export async function confirm(question: string, { yes }: Pick<ChangeOptions, 'yes'>): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY) throw new CliError(`${question} Confirm with --yes.`, EXIT.usage);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `).finally(() => terminal.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('nothing was changed');
}

function report(changed: ConfigChanged, options: ChangeOptions): void {
  if (options.json === true) {
    printJson(changed);
    return;
  }
  const { changes, dryRun, restartNeeded } = changed;
  if (changes.length === 0) process.stdout.write('Nothing to change.\n');
  for (const change of changes) process.stdout.write(`${describe(change)}\n`);
  if (dryRun && changes.length > 0) process.stdout.write('Nothing was changed: this was a dry run.\n');
  if (restartNeeded.length > 0)
    process.stdout.write(`In force after a restart of the gateway: ${restartNeeded.join(', ')}.\n`);
}

function describe({ kind, path, before, after }: ConfigChange): string {
  const place = path.replace(/^\./, '');
  if (kind === 'added') return `+ ${place} ${after ?? ''}`;
  if (kind === 'removed') return `- ${place} ${before ?? ''}`;
  return `~ ${place} ${before ?? ''} → ${after ?? ''}`;
}
