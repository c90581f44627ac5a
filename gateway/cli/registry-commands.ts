import type { Command } from 'commander';
import { Option } from 'commander';
import {
  addGroup,
  addServer,
  apply,
  editGroup,
  editServer,
  listGroups,
  listServers,
  moveServer,
  promoteServer,
  removeGroup,
  removeServer,
  setDisabled,
  showConfig,
  testServer,
  type GroupOptions,
} from './registry.ts';

type Options<Action extends (...args: never[]) => unknown> =
  Parameters<Action> extends [...infer _, infer Last] ? Last : never;

/** The options that a command shares with others. */
export type Shared = (command: Command) => Command;

/** Adds `server`, `group` and `apply`, which change the registry of a running gateway. */
export function addRegistryCommands(root: Command, reaching: Shared): void {
  const changing = (command: Command): Command =>
    reaching(command)
      .option('--dry-run', 'show what would change, and change nothing')
      .option('-y, --yes', 'do not ask');
  addServerCommands(
    root.command('server').description('the servers of a running gateway'),
    reaching,
    changing,
  );
  addGroupCommands(root.command('group').description('the groups of a running gateway'), reaching, changing);
  reaching(root.command('config'))
    .description('show the configuration in force of a running gateway, and what is wrong with a later one')
    .action(showConfig);
  changing(root.command('apply'))
    .description('make a whole configuration that of a running gateway; --dry-run shows the difference')
    .argument('<file>', 'a toolgate.yaml')
    .action((file: string, options: Options<typeof apply>) => apply(file, options));
}

function addServerCommands(server: Command, reaching: Shared, changing: Shared): void {
  reaching(server.command('list')).description('list them with their state').action(listServers);
  describing(changing(server.command('add')))
    .description('register a server: at a URL, or a command after --')
    .argument('<name>')
    .argument('[command...]', 'what to run, after --')
    .requiredOption('-g, --group <group>', 'the group it belongs to')
    .addHelpText('after', EXAMPLES)
    .action((name: string, command: string[], options: Options<typeof addServer>) =>
      addServer(name, command, options),
    );
  describing(changing(server.command('edit')))
    .description('change a server')
    .argument('<server>', 'group:server')
    .argument('[command...]', 'another command, after --')
    .addOption(
      many('--unset <key>', 'take a key of the configuration away, for instance auth; may be repeated'),
    )
    .action((id: string, command: string[], options: Options<typeof editServer>) =>
      editServer(id, command, options),
    );
  for (const [name, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    changing(server.command(name))
      .description(disabled ? 'stop a server and show it no more' : 'use a disabled server again')
      .argument('<server>', 'group:server')
      .action((id: string, options: Options<typeof setDisabled>) => setDisabled(id, disabled, options));
  }
  changing(server.command('remove'))
    .description('take a server out of the registry')
    .argument('<server>', 'group:server')
    .action((id: string, options: Options<typeof removeServer>) => removeServer(id, options));
  changing(server.command('move'))
    .description('move a server to another group')
    .argument('<server>', 'group:server')
    .argument('<group>')
    .action((id: string, group: string, options: Options<typeof moveServer>) =>
      moveServer(id, group, options),
    );
  describing(changing(server.command('promote')))
    .description(
      'copy a server to another group, dev to prod: all but its auth and env, which are given anew',
    )
    .argument('<server>', 'group:server')
    .argument('<group>')
    .argument('[command...]', 'another command, after --')
    .option('--name <name>', 'another name there')
    .action((id: string, group: string, command: string[], options: Options<typeof promoteServer>) =>
      promoteServer(id, group, command, options),
    );
  describing(reaching(server.command('test')))
    .description('try a server without registering it, and show what it offers')
    .argument('[command...]', 'what to run, after --')
    .action((command: string[], options: Options<typeof testServer>) => testServer(command, options));
}

function addGroupCommands(group: Command, reaching: Shared, changing: Shared): void {
  reaching(group.command('list')).description('list them').action(listGroups);
  const described = (command: Command): Command =>
    changing(command)
      .argument('<group>')
      .option('--description <text>')
      .option('--environment <name>', 'such as dev or prod')
      .option('--use <subject...>', 'who may use its servers: user:NAME, or everyone')
      .option('--manage <subject...>', 'who may also change its servers: user:NAME');
  described(group.command('add'))
    .description('make a group')
    .action((name: string, options: GroupOptions) => addGroup(name, options));
  described(group.command('edit'))
    .description("change a group's description or environment")
    .action((name: string, options: GroupOptions) => editGroup(name, options));
  changing(group.command('remove'))
    .description('remove an empty group')
    .argument('<group>')
    .option('--servers', 'with all its servers')
    .action((name: string, options: Options<typeof removeGroup>) => removeGroup(name, options));
}

/** What a server is described by. */
function describing(command: Command): Command {
  return command
    .option('--url <address>', 'where it listens')
    .option('--transport <kind>', 'streamable-http (default) or sse')
    .option('--openapi <document>', 'an OpenAPI document to make tools of')
    .option('--base-url <address>', 'where the API of the document is')
    .addOption(many('--header <name: value>', 'sent with every request; may be repeated'))
    .addOption(many('--env <NAME=value>', "set in the command's environment; may be repeated"))
    .option('--cwd <dir>', 'the folder the command runs in')
    .option('--description <text>')
    .addOption(many('--tag <tag>', 'may be repeated'))
    .option('--allow-private-address', 'consent to an address on this machine or its network');
}

function many(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);
}

const EXAMPLES = `
Examples:
  toolgate server add deepwiki --group common --url https://mcp.deepwiki.com/mcp
  toolgate server add github --group dev --url https://api.githubcopilot.com/mcp/ --header 'Authorization: Bearer \${secret:github}'
  toolgate server add memory --group common -- npx -y @modelcontextprotocol/server-memory`;
