import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from './child.ts';
import type { Reaper } from './reaper.ts';

const MARK = '__toolgate_environment__';
/** Well within what a server is given to answer after its start, so that its own failure is what is told. */
const LIMIT_MS = 5_000;
const OUTPUT_LIMIT = 1024 * 1024;

/**
 * The `PATH` that the user's login shell sets up, as a terminal has it: a program that was started from a desktop
 * lacks what nvm, fnm, pyenv and the like add. Taken as soon as the
 * shell has said it, also of one that does not end. Undefined when it does not say within `limitMs`. Never rejects.
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
  const said = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < OUTPUT_LIMIT) output += text;
      if (output.split(`${MARK}\n`).length > 2) resolve();
    });
  });
  // A shell may stay after its answer, or ignore a signal: it is waited for by nobody.
  await Promise.race([said, child.gone, sleep(limitMs, undefined, { ref: false })]);
  void child.stop({ byInput: false });
  const [, environment, end] = output.split(`${MARK}\n`);
  return end === undefined ? undefined : /^PATH=(.+)$/m.exec(environment ?? '')?.[1];
}
