import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { copyFile, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ConflictError, type ConfigSource, type ConfigText } from './contracts.ts';
import { withFileLock } from './file-lock.ts';
import { replaceFile } from './replace-file.ts';

/** Editors write in several steps, and some put a new file in the place of the old. */
const SETTLE_MS = 150;
/** Where a file system tells nobody of a change, it is found by looking. */
const LOOK_EVERY_MS = 5_000;

/** A configuration in a file, the truth of which is the file. `backup` takes the text before the last change. */
export function openFileConfigSource(file: string, backup: string): ConfigSource {
  const listeners = new Set<() => void>();
  let settle: NodeJS.Timeout | undefined;
  let seen = '';
  const look = async (): Promise<void> => {
    const { revision } = await read(file).catch(() => ({ revision: 'unreadable' }));
    if (seen === revision) return;
    const first = seen === '';
    seen = revision;
    if (!first) for (const listener of listeners) listener();
  };
  const soon = (): void => {
    clearTimeout(settle);
    settle = setTimeout(() => void look(), SETTLE_MS).unref();
  };
  const watcher = watchFolder(file, soon);
  const looking = setInterval(() => void look(), LOOK_EVERY_MS).unref();
  void look();
  return {
    read: () => read(file),
    replace: async (text, revision) => {
      const target = await realpath(file);
      return withFileLock(`${target}.lock`, async () => {
        if ((await read(target)).revision !== revision)
          throw new ConflictError('the configuration has changed');
        await copyFile(target, backup);
        await replaceFile(target, text, (await stat(target)).mode & 0o777);
        return { text, revision: revisionOf(text) };
      }).catch((error: unknown) => {
        throw inWords(error, file);
      });
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      watcher?.close();
      clearInterval(looking);
      clearTimeout(settle);
      listeners.clear();
    },
  };
}

/** What tells a configuration's text from any other: SHA-256, hex. */
export function revisionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function read(file: string): Promise<ConfigText> {
  const text = await readFile(file, 'utf8');
  return { text, revision: revisionOf(text) };
}

function watchFolder(file: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const name = basename(file);
    const watcher = watch(dirname(file), { persistent: false }, (_event, changed) => {
      if (changed === null || changed === name) onEvent();
    });
    // A watcher that breaks leaves the looking.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

function inWords(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') return error;
  return new Error(`${file} cannot be written (${code}): the configuration is changed where it comes from`, {
    cause: error,
  });
}
