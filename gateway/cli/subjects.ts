import { Option, type Command } from 'commander';
import { subjectEntriesSchema, type SubjectListName } from '../contract/subjects.ts';
import { submit, type ChangeOptions } from './change.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

interface Attributes extends ChangeOptions {
  readonly environment?: string;
  readonly project?: string;
  readonly team?: string;
  readonly member?: readonly string[];
  readonly disabled?: boolean;
}

interface RemoveOptions extends ChangeOptions {
  readonly revokeTokens?: boolean;
}

/** `toolgate user`, `team` and `service-account`: the subjects of a running gateway. */
export function addSubjectCommands(root: Command, reaching: (command: Command) => Command): void {
  const changing = (command: Command): Command =>
    reaching(command)
      .option('--dry-run', 'show what would change, and change nothing')
      .option('-y, --yes', 'do not ask');
  for (const [name, list, what] of LISTS) {
    const group = root.command(name).description(`${what} of a running gateway`);
    reaching(group.command('list'))
      .description('list them')
      .action((options: ClientOptions & { readonly json?: boolean }) => show(list, options));
    described(changing(group.command('add')), list)
      .description('add one')
      .argument('<name>')
      .action((entry: string, options: Attributes) =>
        submit(
          { method: 'POST', path: pathOf(list), body: { entry: { name: entry, ...writtenOf(options) } } },
          options,
        ),
      );
    described(changing(group.command('edit')), list)
      .description('change one')
      .argument('<name>')
      .option('--enabled', 'let a disabled one in again')
      .action((entry: string, options: Attributes & { readonly enabled?: boolean }) => {
        const changes = { ...writtenOf(options), ...(options.enabled === true && { disabled: null }) };
        return submit({ method: 'PATCH', path: pathOf(list, entry), body: { changes } }, options);
      });
    const remove = changing(group.command('remove')).description(REMOVES[list]).argument('<name>');
    if (list === 'users') remove.option('--revoke-tokens', 'and revoke all their tokens');
    remove.action((entry: string, options: RemoveOptions) => {
      const query = options.revokeTokens === true ? '?tokens=revoke' : '';
      return submit({ method: 'DELETE', path: pathOf(list, entry) + query, body: {} }, options);
    });
  }
}

const LISTS: readonly (readonly [string, SubjectListName, string])[] = [
  ['user', 'users', 'what is said of users'],
  ['team', 'teams', 'the teams'],
  ['service-account', 'service-accounts', 'the service accounts'],
];

const REMOVES: Readonly<Record<SubjectListName, string>> = {
  users: 'take out what is said of a user; whoever has a token stays a user',
  teams: 'take a team out',
  'service-accounts': 'take a service account out, with its tokens',
};

function described(command: Command, list: SubjectListName): Command {
  const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];
  if (list === 'teams')
    return command.addOption(
      new Option(
        '--member <subject>',
        'user:ID or serviceaccount:NAME; may be repeated, and says all of them',
      ).argParser(collect),
    );
  command
    .option('--environment <name>', 'conditions look at it')
    .option('--project <name>', 'conditions look at it')
    .option('--disabled', 'may do nothing');
  return list === 'users' ? command : command.option('--team <name>', 'the team it belongs to');
}

function writtenOf({ environment, project, team, member, disabled }: Attributes): Record<string, unknown> {
  const written = { environment, project, team, members: member, disabled };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}

async function show(
  list: SubjectListName,
  options: ClientOptions & { readonly json?: boolean },
): Promise<void> {
  const { entries } = subjectEntriesSchema.parse(await ask(options, pathOf(list)));
  if (options.json === true) {
    printJson(entries);
    return;
  }
  const rows = entries.map((entry) => [
    entry.name,
    'members' in entry
      ? entry.members.join(', ')
      : [entry.team, entry.environment, entry.project, entry.disabled ? 'disabled' : undefined]
          .filter((part) => part !== undefined)
          .join(', '),
  ]);
  process.stdout.write(rows.length === 0 ? 'There are none.\n' : table(['name', 'what is said of it'], rows));
}

function pathOf(list: SubjectListName, name?: string): string {
  const path = `/api/v1/subjects/${list}`;
  return name === undefined ? path : `${path}/${encodeURIComponent(name)}`;
}
