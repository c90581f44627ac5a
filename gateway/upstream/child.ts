import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from './launch.ts';
import type { Reaper } from './reaper.ts';

/** How long each step of the ladder (end of input, SIGTERM, SIGKILL) waits for the process tree to go. */
const STEP_MS = 2_000;
const STDERR_LINE_LIMIT = 2_000;
/** How long what a process said last may take to arrive after its end; a child of its own may hold the pipes. */
const LAST_WORDS_MS = 250;

/** A server's process: the leader of its own process group, so that what it starts dies with it. */
export interface Child {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /**
   * Resolves with words for a person once the process is gone and what it printed has been read: `exited with
   * code 1`.
   */
  readonly gone: Promise<string>;
  /**
   * Ends the whole process tree: end of input (which is how a stdio server is asked to stop), then SIGTERM, then
   * SIGKILL. Resolves when it is gone.
   */
  stop(options?: { readonly byInput: boolean }): Promise<void>;
}

/** Starts a server's process. Failure to start is told by `gone`, in words. */
export function startChild(launch: Launch, reaper: Reaper, onStderr: (line: string) => void): Child {
  const child = spawn(launch.command, [...launch.args], {
    cwd: launch.cwd,
    env: { ...launch.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const { pid } = child;
  if (pid !== undefined) reaper.add(pid);
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(explainStart(launch, error, onStderr)));
    child.once('exit', (code, signal) => {
      const words = code === null ? `was ended by ${signal}` : `exited with code ${code}`;
      const timer = setTimeout(() => resolve(words), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(words);
      });
    });
  });
  const cleared = gone.then(async () => {
    if (pid === undefined) return;
    await clearGroup(pid);
    reaper.remove(pid);
  });
  child.stdin.on('error', () => undefined);
  child.stdout.on('error', () => undefined);
  readLines(child.stderr, onStderr);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    gone,
    stop: ({ byInput } = { byInput: true }) => stop(child, gone, byInput).then(() => cleared),
  };
}

async function stop(child: ChildProcess, gone: Promise<string>, byInput: boolean): Promise<void> {
  const within = (): Promise<boolean> =>
    Promise.race([gone.then(() => true), sleep(STEP_MS, false, { ref: false })]);
  const { pid } = child;
  child.stdin?.end();
  if (pid === undefined || (byInput && (await within()))) return;
  signalGroup(pid, 'SIGTERM');
  if (await within()) return;
  signalGroup(pid, 'SIGKILL');
  await gone;
}

/** What a process left behind in its group must not outlive it: wrappers such as `npx` start another. */
async function clearGroup(pid: number): Promise<void> {
  if (process.platform === 'win32' || !signalGroup(pid, 'SIGTERM')) return;
  for (const end = Date.now() + STEP_MS; Date.now() < end;) {
    await sleep(20);
    if (!signalGroup(pid, 0)) return;
  }
  signalGroup(pid, 'SIGKILL');
}

/** False when there is nobody left to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    return false;
  }
}

/** Starting says ENOENT for a missing program and a missing folder alike; these words tell them apart. */
function explainStart(
  launch: Launch,
  error: NodeJS.ErrnoException,
  onStderr: (line: string) => void,
): string {
  if (error.code !== 'ENOENT') return `could not start: ${error.message}`;
  if (!existsSync(launch.cwd)) return `could not start: its folder ${launch.cwd} does not exist`;
  onStderr(`PATH=${launch.env['PATH'] ?? ''}`);
  return `could not start: "${launch.command}" was not found on the PATH`;
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-STDERR_LINE_LIMIT);
    for (const line of lines) if (line.trim() !== '') onLine(line.trimEnd().slice(0, STDERR_LINE_LIMIT));
  });
}
