import { Option, type Command } from 'commander';
import { importServers, type ImportOptions } from './import.ts';
import type { Shared } from './registry-commands.ts';

/** Adds `import`. */
export function addImportCommands(root: Command, reaching: Shared): void {
  reaching(root.command('import'))
    .description("take over the servers of another client's list; without --from, show which there are")
    .addOption(
      new Option(
        '--from <client or file>',
        'vscode, claude-desktop, claude-code, cursor, windsurf, copilot-cli, cline, or a file',
      ),
    )
    .option('-g, --group <group>', 'the group to add them to; made if need be')
    .option('--allow-private-address', 'consent to addresses on this machine or its network')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('-y, --yes', 'do not ask before commands are run')
    .action((options: ImportOptions) => importServers(options));
}
