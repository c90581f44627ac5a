import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The repository, where the built program and the servers' packages are. */
export const ROOT = resolve(import.meta.dirname, '../..');
export const PROGRAM = join(ROOT, 'dist/gateway.js');

export interface RunningGateway {
  readonly address: string;
  /** A session token of the owner. */
  readonly token: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly pid: number;
  /** All that the program printed so far. */
  output(): string;
  /** Sends SIGTERM and resolves with the exit code; the files go, too, unless they are to be kept. */
  stop(files?: 'kept'): Promise<number | null>;
  /** Sends SIGKILL, and resolves once it is gone; its files stay. */
  kill(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;

/** Runs the built gateway as a user does, on a free port and a data folder of its own. */
export async function startGateway(options: {
  readonly config: string;
  readonly env?: Record<string, string>;
  readonly args?: readonly string[];
  /** The gateway that ran before, killed by now, whose configuration and data it takes over. */
  readonly after?: Pick<RunningGateway, 'configFile' | 'dataDir'>;
  readonly port?: number;
  /** Another build of the program. */
  readonly program?: string;
}): Promise<RunningGateway> {
  const { after, port = 0 } = options;
  const dir = after ? dirname(after.configFile) : await mkdtemp(join(tmpdir(), 'toolgate-test-'));
  const configFile = join(dir, 'toolgate.yaml');
  const dataDir = join(dir, 'data');
  await writeFile(configFile, options.config);
  const child = spawn(
    process.execPath,
    [
      options.program ?? PROGRAM,
      'serve',
      '--config',
      configFile,
      '--data',
      dataDir,
      '--port',
      String(port),
      '--session-token',
      ...(options.args ?? []),
    ],
    { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const stop = async (files?: 'kept'): Promise<number | null> => {
    child.kill('SIGTERM');
    const code = await exited;
    if (files !== 'kept') await rm(dir, { recursive: true, force: true });
    return code;
  };
  const { address, token } = await banner(child, () => output);
  return {
    address,
    token,
    dataDir,
    configFile,
    pid: child.pid ?? 0,
    output: () => output,
    stop,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function banner(
  child: ChildProcess,
  output: () => string,
): Promise<{ address: string; token: string }> {
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end;) {
    const [, address, token] =
      /Console +(https?:\/\/\S+)\/#code=[^]*?Token +(tg_pat_\S+)/.exec(output()) ?? [];
    if (address !== undefined && token !== undefined) return { address, token };
    if (child.exitCode !== null) throw new Error(`the gateway exited with ${child.exitCode}:\n${output()}`);
    await new Promise((done) => setTimeout(done, 10));
  }
  child.kill('SIGKILL');
  throw new Error(`the gateway did not start:\n${output()}`);
}
