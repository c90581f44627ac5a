import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { installHost } from './hosts.ts';
import { freePort, installVsix } from './server.ts';
import { makeWorkspace, MODULES_VARIABLE } from './workspace.ts';

/**
 * `node test/vscode/run-suite.ts newest|oldest`: runs `suite/` in the extension host of a real VS Code, against the
 * extension as the packaged VSIX installs it. Prints `N passed, N failed` last.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const VSIX = path.join(ROOT, 'toolgate.vsix');
const name = process.argv[2] === 'oldest' ? 'oldest' : 'newest';
// Beside one for the other host, which may be made in the same moment.
const SUITE = path.join(ROOT, `out/vscode-suite-${name}.cjs`);
const host = await installHost(name);
const folder = await mkdtemp(path.join(os.tmpdir(), 'toolgate-suite-'));
const counts = path.join(folder, 'counts.json');
try {
  const installed = await installVsix(host, path.join(folder, 'vsix'), VSIX);
  const extension = path.join(folder, 'extension');
  await cp(installed, extension, { recursive: true });
  const workspace = path.join(folder, 'workspace');
  await makeWorkspace(workspace, await freePort());
  await build({
    entryPoints: [path.join(import.meta.dirname, 'suite/index.ts')],
    outfile: SUITE,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode', 'mocha'],
    logLevel: 'error',
  });
  // The stand-in is a script that finds its Node.js on the path.
  process.env['PATH'] = `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`;
  console.log(`VS Code ${host.vscode}`);
  await runTests({
    vscodeExecutablePath: path.join(import.meta.dirname, 'code.ts'),
    extensionDevelopmentPath: extension,
    extensionTestsPath: SUITE,
    launchArgs: [workspace],
    extensionTestsEnv: {
      TOOLGATE_TEST_HOST: name,
      TOOLGATE_TEST_COUNTS: counts,
      [MODULES_VARIABLE]: path.join(ROOT, 'node_modules'),
    },
  }).catch((error: unknown) => {
    process.exitCode = 1;
    console.error(String(error));
  });
  await printCounts();
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** A suite that never reported counts as one failure. */
async function printCounts(): Promise<void> {
  const text = await readFile(counts, 'utf8').catch(() => '{"passed":0,"failed":1}');
  const { passed, failed } = JSON.parse(text) as { passed: number; failed: number };
  if (failed > 0) process.exitCode = 1;
  console.log(`${passed} passed, ${Math.max(failed, process.exitCode === 1 ? 1 : 0)} failed`);
}
