import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** The repository. */
export const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');

/**
 * Installs the packages of package-lock.json unless they are there already. The project's own Node is among them,
 * so that any Node from 20 on can start this.
 */
export function install() {
  const wanted = Object.entries(packages('package-lock.json'));
  const there = packages('node_modules/.package-lock.json');
  const needed = wanted.filter(
    ([path, { optional, devOptional }]) => path !== '' && !optional && !devOptional,
  );
  if (needed.every(([path, { version }]) => there[path]?.version === version)) return;
  console.log('Installing packages (once; takes about a minute)…');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** What a lock file of npm lists; nothing when there is none. The one in node_modules says what is installed. */
function packages(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    return {};
  }
}

/** The environment in which `node` is the project's own. */
export function environment() {
  return {
    ...process.env,
    PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
  };
}

/** The project's own Node. */
export const NODE = join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');

/** Runs a program to its end; ends this one with its exit code when it fails. */
export function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: environment(),
    shell: process.platform === 'win32',
  });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}
