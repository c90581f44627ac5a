import { build } from 'esbuild';
import { chmod, copyFile, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { licences } from './scripts/licences.mjs';

/**
 * Builds what ships into dist/: the extension, the gateway program, the page of playground and console, and the
 * example server. Types are checked by `npm run check`, not here.
 */
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

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

// Built beside, then put in place: a build that fails leaves the last good one.
const out = `dist.${process.pid}`;
await mkdir(`${out}/webview`, { recursive: true });
try {
  await buildAll();
  await rm('dist', { recursive: true, force: true });
  await rename(out, 'dist');
} finally {
  await rm(out, { recursive: true, force: true });
}

async function buildAll() {
  const bundles = await Promise.all([
    build({
      ...esmNode,
      entryPoints: {
        gateway: 'gateway/main.ts',
        'guard-worker': 'gateway/guardrails/worker.ts',
        'activity-worker': 'gateway/storage/activity-worker.ts',
      },
      outdir: out,
      splitting: true,
      chunkNames: 'chunk-[name]-[hash]',
      define: { TOOLGATE_VERSION: JSON.stringify(version) },
      // Its main is UMD, whose inner requires no bundler can follow.
      alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    }),
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
  for (const name of ['unsafe-vectors.bin', 'unsafe-weights.bin'])
    await copyFile(`gateway/guardrails/detect/${name}`, `${out}/${name}`);
  await copyFile('webview/index.html', `${out}/webview/index.html`);
  await cp('examples/starter', `${out}/examples/starter`, { recursive: true });
  await writeFile(`${out}/third-party-licences.txt`, await licences(bundles.map(({ metafile }) => metafile)));
  await chmod(`${out}/gateway.js`, 0o755);
}
