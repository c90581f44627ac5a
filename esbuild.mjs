import { build } from 'esbuild';
import { realpathSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { licences } from './scripts/licences.mjs';

const common = { bundle: true, minify: true, legalComments: 'none', metafile: true, logLevel: 'warning' };
const node = { ...common, platform: 'node', target: 'node22' };
// Bundled CommonJS packages call `require` for Node's own modules.
const esmNode = {
  ...node,
  format: 'esm',
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

// Only what is run builds: tests take the options of the program from here.
if (realpathSync(process.argv[1] ?? '') === import.meta.filename) await ship();

/** How the gateway program is built, with the threads it starts. Paths are relative to the repository. */
export function programOptions(version) {
  return {
    ...esmNode,
    entryPoints: {
      gateway: 'gateway/main.ts',
      'guard-worker': 'gateway/guardrails/worker.ts',
      'activity-worker': 'gateway/storage/activity-worker.ts',
    },
    splitting: true,
    chunkNames: 'chunk-[name]-[hash]',
    define: { TOOLGATE_VERSION: JSON.stringify(version) },
    // Its main is UMD, whose inner requires no bundler can follow.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  };
}

/** Copies what the program reads from beside itself. */
export async function copyProgramFiles(out) {
  for (const name of ['unsafe-vectors.bin', 'unsafe-weights.bin'])
    await copyFile(join(import.meta.dirname, 'gateway/guardrails/detect', name), join(out, name));
}

/**
 * Builds what ships into dist/: the extension, the gateway program, the page of playground and console, and the
 * example server. Types are checked by `npm run check`, not here.
 */
async function ship() {
  // Built beside, then put in place: a build that fails leaves the last good one.
  const out = `dist.${process.pid}`;
  await mkdir(`${out}/webview`, { recursive: true });
  try {
    await buildAll(out);
    await rm('dist', { recursive: true, force: true });
    await rename(out, 'dist');
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

async function buildAll(out) {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  const bundles = await Promise.all([
    build({ ...programOptions(version), outdir: out }),
    build({
      ...esmNode,
      entryPoints: ['examples/calculator/server.ts'],
      outfile: `${out}/examples/calculator.js`,
    }),
    build({
      ...node,
      entryPoints: ['extension/main.ts'],
      outfile: `${out}/extension.cjs`,
      format: 'cjs',
      external: ['vscode'],
    }),
    build({
      ...common,
      entryPoints: ['webview/main.ts'],
      outdir: `${out}/webview`,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      loader: { '.ttf': 'copy' },
      assetNames: '[name]',
    }),
  ]);
  await copyProgramFiles(out);
  await copyFile('webview/index.html', `${out}/webview/index.html`);
  await cp('examples/starter', `${out}/examples/starter`, { recursive: true });
  await writeFile(`${out}/third-party-licences.txt`, await licences(bundles.map(({ metafile }) => metafile)));
  await chmod(`${out}/gateway.js`, 0o755);
}
