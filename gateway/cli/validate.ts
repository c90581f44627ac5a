import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { exposedReferences } from '../config/exposed.ts';
import type { Config } from '../config/schema.ts';
import { unresolvedReferences } from '../config/unresolved.ts';
import { describeError } from '../upstream/errors.ts';
import { isAddress, loadFile } from '../upstream/openapi/document.ts';
import { dataFiles } from '../storage/paths.ts';
import { CliError } from './cli-error.ts';
import { printJson } from './print.ts';
import { dataFolder, loadConfig, openVault, referenceSource, type Program } from './setup.ts';

/** `toolgate validate`: checks the configuration, that every reference has a value here, and documents in files. */
export async function validate(
  program: Program,
  options: { readonly config: string; readonly json?: boolean },
): Promise<void> {
  const loaded = loadConfig(options.config);
  const { config, folder } = loaded;
  const data = dataFolder(loaded, undefined);
  // Only looked at: checking a configuration makes no data folder.
  const vault = existsSync(dataFiles(data).secrets)
    ? await openVault(program, data, () => undefined)
    : undefined;
  const missing = [
    ...unresolvedReferences(config, referenceSource(program, folder, vault)),
    ...(await brokenDocuments(config, folder)),
  ];
  await vault?.close();
  const warnings = exposedReferences(config);
  const servers = config.groups.reduce((sum, group) => sum + group.servers.length, 0);
  if (options.json === true) {
    printJson({ valid: missing.length === 0, groups: config.groups.length, servers, missing, warnings });
    if (missing.length > 0) process.exitCode = 1;
    return;
  }
  for (const { path, message } of warnings)
    process.stderr.write(`${options.config} ${path}: warning: ${message}\n`);
  if (missing.length > 0) {
    throw new CliError(
      missing.map(({ place, reason }) => `${options.config} ${place}: ${reason}`).join('\n'),
    );
  }
  process.stdout.write(`${options.config} is valid: ${config.groups.length} groups, ${servers} servers.\n`);
}

/** OpenAPI documents in files that cannot be read. */
async function brokenDocuments(config: Config, folder: string): Promise<{ place: string; reason: string }[]> {
  const checked = config.groups.flatMap((group) =>
    group.servers.map(async ({ name, openapi }) => {
      if (openapi === undefined || isAddress(openapi)) return [];
      return loadFile(resolve(folder, openapi)).then(
        () => [],
        (error: unknown) => [{ place: `${group.name}:${name} openapi`, reason: describeError(error) }],
      );
    }),
  );
  return (await Promise.all(checked)).flat();
}
