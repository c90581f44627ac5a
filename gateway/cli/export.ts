import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildExport } from '../export/bundle.ts';
import { CliError } from './cli-error.ts';
import { printJson } from './print.ts';
import { loadConfig, type Program } from './setup.ts';

/** `toolgate export DIR`: writes what serves the same servers elsewhere. */
export async function exportTo(
  program: Program,
  dir: string,
  options: { readonly config: string; readonly force?: boolean; readonly json?: boolean },
): Promise<void> {
  const loaded = loadConfig(options.config);
  const folder = resolve(dir);
  const { files, notes } = buildExport({ ...loaded, program: program.file, exists: existsSync });
  const taken = files.find(({ path }) => existsSync(join(folder, path)));
  if (taken !== undefined && options.force !== true) {
    throw new CliError(`${join(folder, taken.path)} exists; overwrite with --force`);
  }
  await mkdir(folder, { recursive: true });
  for (const { path, content, executable } of files) {
    await writeFile(join(folder, path), content, { mode: executable ? 0o755 : 0o644 });
  }
  if (options.json === true) {
    printJson({ folder, files: files.map(({ path }) => path), notes });
    return;
  }
  process.stdout.write(`Wrote ${files.map(({ path }) => path).join(', ')} to ${folder}.\n`);
  for (const note of notes) process.stdout.write(`- ${note}\n`);
  process.stdout.write(`Start it: ${join(folder, 'start.sh')}\n`);
}
