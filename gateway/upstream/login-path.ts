import { userInfo } from 'node:os';
import { startChild } from './child.ts';
import type { Reaper } from './reaper.ts';

const MARK = '__toolgate_environment__';
const LIMIT_MS = 10_000;
const OUTPUT_LIMIT = 1024 * 1024;

/**
 * The `PATH` that the user's login shell sets up, as a terminal has it: a program that was started from a desktop
 * lacks what nvm, fnm, pyenv and the like add. Undefined when the shell does not say within `limitMs`. Never rejects.
 */
export async function readLoginPath(
  env: NodeJS.ProcessEnv,
  reaper: Reaper,
  limitMs = LIMIT_MS,
): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined;
  const defined = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { homedir, shell } = userInfo();
  const child = startChild(
    {
      command: env['SHELL'] ?? shell ?? '/bin/sh',
      // Interactive, since many set their PATH where only interactive shells read.
      args: ['-i', '-l', '-c', `echo ${MARK}; /usr/bin/env; echo ${MARK}`],
      cwd: env['HOME'] ?? homedir,
      env: Object.fromEntries(defined),
    },
    reaper,
    () => undefined,
  );
  child.stdin.end();
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output.length < OUTPUT_LIMIT) output += text;
  });
  const timer = setTimeout(() => void child.stop({ byInput: false }), limitMs).unref();
  await child.gone;
  clearTimeout(timer);
  const [, said] = output.split(`${MARK}\n`);
  return /^PATH=(.+)$/m.exec(said ?? '')?.[1];
}
