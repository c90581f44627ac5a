import { spawn } from 'node:child_process';
import { PROGRAM } from './gateway.ts';

export interface RunningWrap {
  readonly address: string;
  readonly pid: number;
  output(): string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(): void;
}

/** Runs `toolgate wrap` on a free port, with these flags and command. */
export async function startWrap(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<RunningWrap> {
  const child = spawn(process.execPath, [PROGRAM, 'wrap', '--port', '0', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  for (const end = Date.now() + 15_000; Date.now() < end && child.exitCode === null;) {
    const [, port] = /Serving .* at http:\/\/\S+?:(\d+)\//.exec(output) ?? [];
    if (port !== undefined)
      return {
        address: `http://127.0.0.1:${port}`,
        pid: child.pid ?? 0,
        output: () => output,
        stop: () => {
          child.kill('SIGTERM');
          return exited;
        },
        kill: () => child.kill('SIGKILL'),
      };
    await new Promise((done) => setTimeout(done, 10));
  }
  child.kill('SIGKILL');
  throw new Error(`the wrapper did not start:\n${output}`);
}
