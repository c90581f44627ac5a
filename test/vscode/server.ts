import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, openSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { InstalledHost } from './hosts.ts';

const START_TIMEOUT_MS = 30_000;

/** A calm workbench that looks nothing up on the net. */
const SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.tips.enabled': false,
  'chat.commandCenter.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'remote.autoForwardPorts': false,
  'window.commandCenter': false,
};

export interface ServerOptions {
  readonly host: InstalledHost;
  /** Where the server keeps users' settings, extensions and logs. */
  readonly dataDir: string;
  /** Added to the environment of the server, and so of the extension host. */
  readonly env?: NodeJS.ProcessEnv;
  /** Of the machine that the extension runs on. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The page takes an extension under development and a suite to run, but shows no notifications. */
  readonly testMode?: boolean;
}

export interface VsCodeServer {
  readonly dataDir: string;
  /** The address of a workbench that shows the folder. */
  url(folder: string, payload?: readonly (readonly [string, string])[]): string;
  /** A file of this machine, as the workbench names it. */
  uri(file: string): string;
  /** Ends the server and everything it started. */
  stop(): void;
}

/** A folder of its own for one run. */
export function makeDataDir(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'toolgate-vscode-'));
}

/** Installs a VSIX as a user does; answers the folder it was unpacked to. */
export async function installVsix(host: InstalledHost, dataDir: string, vsix: string): Promise<string> {
  const args = [host.server, '--install-extension', vsix, ...dataDirArgs(dataDir)];
  await promisify(execFile)(host.node, args, { env: serverEnv({}), timeout: START_TIMEOUT_MS });
  const extensions = path.join(dataDir, 'extensions');
  const folder = (await readdir(extensions)).find((name) => name.startsWith('toolgate.toolgate-'));
  if (folder === undefined) throw new Error(`The VSIX was not installed in ${extensions}`);
  return path.join(extensions, folder);
}

/** Starts VS Code's server; rejects when it is not ready in time. */
export async function startServer(options: ServerOptions): Promise<VsCodeServer> {
  const { host, dataDir } = options;
  const port = await freePort();
  await writeSettings(dataDir, 'User', SETTINGS);
  await writeSettings(dataDir, 'Machine', options.settings ?? {});
  const output = openSync(path.join(dataDir, 'server.log'), 'w');
  const args = [
    host.server,
    ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
    ...['--telemetry-level', 'off', '--log', 'info', '--disable-workspace-trust'],
    ...(options.testMode === true ? ['--enable-smoke-test-driver'] : []),
    ...dataDirArgs(dataDir),
  ];
  const env = serverEnv(options.env ?? {});
  const child = spawn(host.node, args, { stdio: ['ignore', output, output], detached: true, env });
  const stop = (): void => {
    stopGroup(child.pid);
  };
  const base = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(`${base}/version`))) {
    if (Date.now() > deadline || child.exitCode !== null) {
      stop();
      throw new Error(`VS Code's server did not start: ${path.join(dataDir, 'server.log')}`);
    }
    await sleep(50);
  }
  return {
    dataDir,
    stop,
    uri: (file) => `vscode-remote://127.0.0.1:${port}${path.resolve(file)}`,
    url: (folder, payload = []) => {
      const all = [['skipWelcome', 'true'], ['skipReleaseNotes', 'true'], ...payload];
      return `${base}/?${new URLSearchParams({ folder: path.resolve(folder), payload: JSON.stringify(all) })}`;
    },
  };
}

/** Removes the folder of a run that went well. */
export async function removeDataDir(dataDir: string): Promise<void> {
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

async function writeSettings(dataDir: string, whose: 'User' | 'Machine', settings: object): Promise<void> {
  const folder = path.join(dataDir, 'data', whose);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'settings.json'), JSON.stringify(settings, null, 2));
}

function dataDirArgs(dataDir: string): string[] {
  return ['--server-data-dir', dataDir, '--accept-server-license-terms'];
}

/** Without a gallery nothing is looked up on the net. */
function serverEnv(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...process.env, EXTENSIONS_GALLERY: '{}', ...extra };
}

function stopGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended already.
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** A port of 127.0.0.1 that nothing listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}
