import { fileURLToPath } from 'node:url';
import type { EXIT } from './contract/ipc.ts';
import { nodeTooOld } from './node-version.ts';

/**
 * Where `toolgate` begins. The program is loaded once it is known that this Node can run it: an old one would die of
 * the first import that it does not know, with a stack trace. So nothing else may be imported here.
 */
const problem = nodeTooOld(process.versions.node, process.execPath);
if (problem === undefined) {
  const { run } = await import('./cli/program.ts');
  await run(fileURLToPath(import.meta.url));
} else {
  process.stderr.write(`toolgate: ${problem}\n`);
  process.exitCode = 2 satisfies (typeof EXIT)['usage'];
}
