import { readFileSync, statSync, watch } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Low, type Adapter } from 'lowdb';
import { withFileLock } from './file-lock.ts';
import { removeUnfinished, replaceFile } from './replace-file.ts';

/** A small state in one JSON file that several processes share. */
export interface JsonFile<State> {
  /** The newest state this process knows of; costs nothing. */
  current(): State;
  /** Takes in what another process has written by now; leaves the state as it was when that cannot be read. */
  catchUp(): void;
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

  let seen = '';
  // In one piece: a read that pauses could bring back what a later one has replaced.
  const read = (): void => {
    seen = versionOf(file);
    const state = contentOf(file, empty, parse, backup);
    if (isDeepStrictEqual(db.data, state)) return;
    db.data = state;
    for (const listener of listeners) listener(state);
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
    db.data = state;
    // The file may have been removed since, which a version taken now would hide: the next look reads it.
    seen = '';
    for (const listener of listeners) listener(state);
  };
  const catchUp = (): void => {
    try {
      if (versionOf(file) !== seen) read();
    } catch {
      // Somebody has broken the file: what is known stays, and an update says what is wrong.
    }
  };
  // The folder is watched, not the file: a rename replaces the file, and with it a watch on it.
  const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name === basename(file)) catchUp();
  });
  watcher.on('error', () => undefined);
  try {
    read();
  } catch (error) {
    watcher.close();
    throw error;
  }

  return {
    current: () => db.data,
    catchUp,
    update: (change) =>
      withFileLock(`${file}.lock`, () =>
        inTurn(async () => {
          read();
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

/** Runs work one piece at a time. */
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
    read: () => Promise.resolve(contentOf(file, empty, parse, backup)),
    write: async (data) => {
      if (backup) await copyFile(file, `${file}.bak`).catch(() => undefined);
      await replaceFile(file, `${JSON.stringify(data, null, 2)}\n`);
    },
  };
}

function contentOf<State>(
  file: string,
  empty: State,
  parse: (value: unknown) => State,
  backup: boolean,
): State {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
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
}

/** Changes whenever the file is replaced. */
function versionOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}
