import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The fixture server's program. */
export const FIXTURE = join(import.meta.dirname, 'fixture/server.ts');

export interface RunningFixture {
  readonly url: string;
  stop(): void;
}

/** Starts the fixture over HTTP on a free port. */
export async function startFixture(): Promise<RunningFixture> {
  const child = spawn(process.execPath, [FIXTURE, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.once('exit', (code) => reject(new Error(`the fixture exited with ${code}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const [, found] = /listening on (\d+)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  return { url: `http://127.0.0.1:${port}/mcp`, stop: () => void child.kill() };
}
