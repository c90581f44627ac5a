import type { Command } from 'commander';
import { explanationSchema, type ExplainRequest } from '../contract/access.ts';
import { EXIT } from '../contract/ipc.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

interface ExplainOptions extends ClientOptions {
  readonly json?: boolean;
  readonly subject?: string;
  readonly team?: string[];
  readonly tokenId?: string;
  readonly model?: string;
  readonly group?: string;
  readonly manage?: boolean;
}

/** `toolgate access explain`; `common` adds the options of a running gateway. */
export function addAccessCommands(root: Command, common: (command: Command) => Command): void {
  const access = root.command('access').description('say who may do what, and by which rule');
  common(
    access
      .command('explain')
      .description('explain a decision: may this principal see this server, or make this call?')
      .argument('[server]', 'tenant:group:server, group:server or server')
      .argument('[tool]', "the tool's name there")
      .argument('[arguments]', "a JSON object: the call's arguments")
      .option('--subject <subject>', 'of whom: user:ID or serviceaccount:NAME (default: the token you show)')
      .option('--team <team...>', 'teams that its issuer would claim')
      .option('--token-id <id>', 'of whom, by a token: what that is narrowed to counts then')
      .option('--model <model>', 'the model asked for, or with a tool the model that calls it')
      .option('--group <group>', 'ask about a group in place of a server')
      .option('--manage', 'ask whether the group, or without one the gateway, may be managed'),
  ).action(explain);
}

async function explain(
  server: string | undefined,
  tool: string | undefined,
  args: string | undefined,
  options: ExplainOptions,
): Promise<void> {
  const request: ExplainRequest = {
    ...(server !== undefined && { server }),
    ...(tool !== undefined && { tool }),
    ...(args !== undefined && { arguments: parseArguments(args) }),
    ...(options.subject !== undefined && { subject: options.subject }),
    ...(options.team !== undefined && { teams: options.team }),
    ...(options.tokenId !== undefined && { token: options.tokenId }),
    ...(options.model !== undefined && { model: options.model }),
    ...(options.group !== undefined && { group: options.group }),
    ...(options.manage === true && { manage: true }),
  };
  const found = explanationSchema.parse(await ask(options, '/api/v1/access/explain', request));
  if (options.json === true) {
    printJson(found);
    return;
  }
  const { subject, teams } = found.principal;
  const who = teams.length === 0 ? subject : `${subject} (teams: ${teams.join(', ')})`;
  process.stdout.write(`${found.effect === 'allow' ? 'Allowed' : 'Denied'}: ${who}, ${found.target}\n\n`);
  process.stdout.write(
    table(
      ['check', 'effect', 'rule', 'why'],
      found.steps.map(({ check, effect, rule, reason }) => [check, effect, rule, reason]),
    ),
  );
}

function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new CliError('the arguments must be a JSON object, such as \'{"database": "hr"}\'', EXIT.usage);
}
