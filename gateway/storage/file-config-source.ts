import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { copyFile, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ConflictError, UnwritableError, type ConfigSource, type ConfigText } from './contracts.ts';
import { withFileLock } from './file-lock.ts';
import { replaceFile } from './replace-file.ts';

/** Editors write in several steps, and some put a new file in the place of the old. */
const SETTLE_MS = 150;
/** Where a file system tells nobody of a change, it is found by looking. */
const LOOK_EVERY_MS = 5_000;

/**
 * A configuration in a file, the truth of which is the file. `backup` takes the text before the last change; `seen` is
 * the revision that is known already, so that a change since then is told.
 */
export function openFileConfigSource(file: string, backup: string, seen: string): ConfigSource {
  const listeners = new Set<() => void>();
  let settle: NodeJS.Timeout | undefined;
  let known = seen;
  const look = async (): Promise<void> => {
    const { revision } = await read(file).catch(() => ({ revision: 'unreadable' }));
    if (known === revision) return;
    known = revision;
    for (const listener of listeners) listener();
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
      try {
        const target = await realpath(file);
        return await withFileLock(`${target}.lock`, async () => {
          if ((await read(target)).revision !== revision)
            throw new ConflictError('the configuration has changed');
          await copyFile(target, backup);
          await replaceFile(target, text, (await stat(target)).mode & 0o777);
          return { text, revision: revisionOf(text) };
        });
      } catch (error) {
        throw inWords(error, file);
      }
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

/** Rights, a read-only file system, a file that is mounted by itself, a file that is gone. */
const UNWRITABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'ENOENT']);

function inWords(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined || !UNWRITABLE.has(code)) return error;
  const words = `${file} cannot be written here (${code}): change the configuration where it comes from`;
  return new UnwritableError(words, { cause: error });
}
