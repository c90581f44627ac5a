import { watch } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Low, type Adapter } from 'lowdb';
import { withFileLock } from './file-lock.ts';
import { removeUnfinished, replaceFile } from './replace-file.ts';

/** A small state in one JSON file that several processes share. */
export interface JsonFile<State> {
  /** The newest state this process knows of; costs nothing. */
  current(): State;
  /** Reads, changes and writes under a lock, so that no writer's change is lost. */
  update(change: (state: State) => State | Promise<State>): Promise<State>;
  /** Called after every change, another process's included. Returns the way to stop it. */
  onChange(listener: (state: State) => void): () => void;
  close(): Promise<void>;
}

/**
 * A file of mode 600. Writes are atomic (a new file, synced, then renamed over the old one, which stays as `.bak` unless
 * `backup` is false); a file that does not `parse` is an error, never the `empty` state, since that would be written back
 * over what can still be saved. A file that is gone is the empty state: who removes it takes everything back.
 */
export async function openJsonFile<State>(
  file: string,
  empty: State,
  parse: (value: unknown) => State,
  { backup = true } = {},
): Promise<JsonFile<State>> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const db = new Low<State>(privateFile(file, empty, parse, backup), empty);
  const listeners = new Set<(state: State) => void>();
  const inTurn = createQueue();

  const read = async (): Promise<void> => {
    const before = db.data;
    await db.read();
    if (!isDeepStrictEqual(db.data, before)) for (const listener of listeners) listener(db.data);
  };
  const write = async (state: State): Promise<void> => {
    const before = db.data;
    db.data = state;
    try {
      await db.write();
    } catch (error) {
      db.data = before;
      throw error;
    }
    for (const listener of listeners) listener(state);
  };
  // The folder is watched, not the file: a rename replaces the file, and with it a watch on it.
  const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name === basename(file)) inTurn(read).catch(() => undefined);
  });
  watcher.on('error', () => undefined);
  try {
    await inTurn(read);
  } catch (error) {
    watcher.close();
    throw error;
  }

  return {
    current: () => db.data,
    update: (change) =>
      withFileLock(`${file}.lock`, () =>
        inTurn(async () => {
          await read();
          const changed = await change(db.data);
          await removeUnfinished(file);
          await write(changed);
          return db.data;
        }),
      ),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      watcher.close();
      listeners.clear();
      return Promise.resolve();
    },
  };
}

/** Runs work one piece at a time, so that a slow read never brings back what a write has replaced since. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}

function privateFile<State>(
  file: string,
  empty: State,
  parse: (value: unknown) => State,
  backup: boolean,
): Adapter<State> {
  return {
    read: async () => {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return empty;
        throw error;
      }
      try {
        return parse(JSON.parse(text));
      } catch (error) {
        const from = backup ? `${basename(file)}.bak` : 'a backup of yours';
        throw new Error(`${file} is damaged; restore it from ${from}`, { cause: error });
      }
    },
    write: async (data) => {
      if (backup) await copyFile(file, `${file}.bak`).catch(() => undefined);
      await replaceFile(file, `${JSON.stringify(data, null, 2)}\n`);
    },
  };
}
