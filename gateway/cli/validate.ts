import { unresolvedReferences } from '../config/unresolved.ts';
import { CliError } from './cli-error.ts';
import { printJson } from './print.ts';
import { loadConfig, referenceSource, type Program } from './setup.ts';

/** `toolgate validate`: checks the configuration and that every reference has a value here. */
export function validate(
  program: Program,
  options: { readonly config: string; readonly json?: boolean },
): void {
  const { config, folder } = loadConfig(options.config);
  const missing = unresolvedReferences(config, referenceSource(program, folder));
  const servers = config.groups.reduce((sum, group) => sum + group.servers.length, 0);
  if (options.json === true) {
    printJson({ valid: missing.length === 0, groups: config.groups.length, servers, missing });
    if (missing.length > 0) process.exitCode = 1;
    return;
  }
  if (missing.length > 0) {
    throw new CliError(
      missing.map(({ place, reason }) => `${options.config} ${place}: ${reason}`).join('\n'),
    );
  }
  process.stdout.write(`${options.config} is valid: ${config.groups.length} groups, ${servers} servers.\n`);
}
