import { Command, InvalidArgumentError, Option } from 'commander';
import { dirname, resolve } from 'node:path';
import { call, type CallOptions } from './call.ts';
import { CliError } from './cli-error.ts';
import { exportTo } from './export.ts';
import { addAccessCommands } from './access.ts';
import { addAttachCommands } from './attach.ts';
import { addImportCommands } from './import-commands.ts';
import { addApprovalCommands } from './approvals.ts';
import { addPinsCommand } from './pins.ts';
import { addLimitCommands } from './limits.ts';
import { addPresetCommands } from './presets.ts';
import { printJson } from './print.ts';
import { consoleLink } from './console.ts';
import { context } from './context.ts';
import { addRegistryCommands } from './registry-commands.ts';
import { addSubjectCommands } from './subjects.ts';
import { addCredentialCommands } from './credential.ts';
import { addSecretCommands } from './secret.ts';
import { search, type SearchOptions } from './search.ts';
import { serve, type ServeOptions } from './serve.ts';
import { serveIpc } from './serve-ipc.ts';
import type { Program } from './setup.ts';
import { addTokenCommands } from './token.ts';
import { validate } from './validate.ts';
import { addWrapCommand } from './wrap.ts';
import { EXIT } from '../contract/ipc.ts';

/** Set by the build from package.json. */
declare const TOOLGATE_VERSION: string;

/**
 * The `toolgate` program, started by the file `dist/gateway.js`. Exit codes: 0 done, 1 failed, 2 wrong usage or
 * configuration. Rejects with what is a fault of its own.
 */
export async function run(file: string): Promise<void> {
  const program: Program = {
    version: TOOLGATE_VERSION,
    home: resolve(dirname(file), '..'),
    file,
    env: process.env,
  };
  try {
    await commands(program).parseAsync();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    process.stderr.write(`toolgate: ${error.message.replaceAll('\n', '\ntoolgate: ')}\n`);
    process.exitCode = error.exitCode;
  }
}

function commands(program: Program): Command {
  const root = new Command('toolgate')
    .description('MCP registry and AI gateway.')
    .version(program.version, '-V, --version')
    .showHelpAfterError('(--help explains)')
    .enablePositionalOptions()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage))
    .addHelpText('after', EXAMPLES);

  const config = (): Option =>
    new Option('-c, --config <file>', 'the configuration').default('toolgate.yaml');
  const data = (): Option =>
    new Option('--data <dir>', "the data folder, instead of the configuration's storage.data");
  const address = (): Option =>
    new Option('--gateway <address>', "the running gateway's address")
      .env('TOOLGATE_GATEWAY')
      .default('http://127.0.0.1:8665');
  const bearer = (): Option =>
    new Option('--token <token>', 'a gateway token; better in the environment as TOOLGATE_TOKEN');
  const json = (): Option => new Option('--json', 'print JSON');

  root
    .command('serve')
    .description('run the gateway until Ctrl-C')
    .addOption(config())
    .addOption(data())
    .addOption(
      new Option(
        '-p, --port <port>',
        "instead of the configuration's listen.port; 0 for any free one",
      ).argParser(port),
    )
    .option('--login-path', 'find commands on the PATH of your login shell as well')
    .option('--session-token', 'make an administrator token that holds until the gateway stops, and print it')
    .addOption(
      new Option('--log-level <level>', 'how much to log on standard error')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ipc', 'be told what to serve by a parent process').hideHelp())
    .action((options: ServeOptions & { ipc?: boolean }) =>
      options.ipc === true ? serveIpc(program) : serve(program, options),
    );

  root
    .command('validate')
    .description('check the configuration and its references')
    .addOption(config())
    .addOption(json())
    .action((options: { config: string; json?: boolean }) => validate(program, options));

  root
    .command('export')
    .description('write a configuration, a start script and a README that serve the same servers elsewhere')
    .argument('<dir>', 'the folder to write to')
    .addOption(config())
    .addOption(json())
    .option('--force', 'overwrite files')
    .action((dir: string, options: { config: string; force?: boolean; json?: boolean }) =>
      exportTo(program, dir, options),
    );

  addTokenCommands(root, (command) => command.addOption(config()).addOption(data()).addOption(json()));

  addSecretCommands(root, program, (command) =>
    command.addOption(config()).addOption(data()).addOption(json()),
  );

  addCredentialCommands(root, (command) =>
    command.addOption(address()).addOption(bearer()).addOption(json()),
  );

  root
    .command('call')
    .description('call one tool through a running gateway')
    .argument('<server>', 'tenant:group:server, group:server or server')
    .argument('<tool>', "the tool's name there")
    .argument('[arguments]', 'a JSON object')
    .addOption(address())
    .addOption(bearer())
    .addOption(json())
    .action((server: string, tool: string, args: string | undefined, options: CallOptions) =>
      call(server, tool, args, options),
    );

  addWrapCommand(root, program);

  root
    .command('search')
    .description('search the tools, resources and prompts of a running gateway')
    .argument('<words...>', 'what they are for')
    .option('-n, --limit <number>', 'how many to show, up to 100', '20')
    .addOption(address())
    .addOption(bearer())
    .addOption(json())
    .action((words: string[], options: SearchOptions) => search(words, options));

  addRegistryCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));
  addSubjectCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));

  addAttachCommands(root, (command) => command.addOption(address()).addOption(bearer()));
  addImportCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));

  addPresetCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));

  addAccessCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));

  root
    .command('console')
    .description('print a one-time link that signs your browser in to the console of a running gateway')
    .addOption(address())
    .addOption(bearer())
    .addOption(json())
    .action(consoleLink);

  root
    .command('context')
    .description("show how many tokens of a model's context the tools of a running gateway take")
    .addOption(address())
    .addOption(bearer())
    .addOption(json())
    .action(context);

  addApprovalCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));
  addLimitCommands(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));
  addPinsCommand(root, (command) => command.addOption(address()).addOption(bearer()).addOption(json()));

  root
    .command('version')
    .description('print the version')
    .addOption(json())
    .action((options: { json?: boolean }) => {
      if (options.json === true) printJson({ version: program.version, node: process.version });
      else process.stdout.write(`${program.version}\n`);
    });
  return root;
}

const EXAMPLES = `
Examples:
  toolgate validate --config toolgate.yaml
  toolgate serve --config toolgate.yaml --session-token
  toolgate token create --name ci --group common --expires 30d
  TOOLGATE_TOKEN=tg_pat_… toolgate call common:calculator-mcp add '{"a": 2, "b": 3}'
  toolgate server add memory --group common -- npx -y @modelcontextprotocol/server-memory
  toolgate apply toolgate.yaml --dry-run
  TOOLGATE_TOKEN=tg_pat_… toolgate console
  toolgate search comment on a pull request
  toolgate pins show common:calculator-mcp
  toolgate wrap --port 8000 --host 0.0.0.0 --server stream python my_server.py
  toolgate export ./team-gateway`;

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65535) return value;
  throw new InvalidArgumentError('a port is a whole number from 0 to 65535.');
}
