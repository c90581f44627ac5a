import { watch } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Low, type Adapter } from 'lowdb';
import * as z from 'zod';
import { pinKindSchema } from '../contract/pins.ts';
import { WHOLE_SCOPE } from '../identity/principal.ts';
import type { ConfigState, ConfigStore } from './contracts.ts';
import { withFileLock } from './file-lock.ts';
import { replaceFile } from './replace-file.ts';

const pinsSchema = z.strictObject({
  server: z.string(),
  fingerprint: z.string(),
  revision: z.number(),
  baselines: z.record(z.string(), z.array(pinKindSchema)),
  pins: z.array(
    z.strictObject({
      kind: pinKindSchema,
      name: z.string(),
      versions: z.array(
        z.strictObject({
          hash: z.string(),
          content: z.record(z.string(), z.unknown()).nullable(),
          state: z.enum(['accepted', 'waiting', 'rejected']),
          acceptedFor: z.array(z.string()),
          offeredTo: z.array(z.string()),
          returned: z.boolean(),
          at: z.string(),
          by: z.string(),
        }),
      ),
    }),
  ),
});

const namesSchema = z.array(z.string()).nullable();

const tokenSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  hash: z.string(),
  kind: z.enum(['pat', 'vat']).default('pat'),
  administrator: z.boolean(),
  scope: z.strictObject({
    groups: namesSchema,
    servers: namesSchema,
    tools: namesSchema,
    models: namesSchema,
  }),
  previous: z.strictObject({ hash: z.string(), until: z.string() }).nullable().default(null),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
});

/** Records of before 0.2 say `groups` in place of a whole scope. */
function withScope(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || !('groups' in record)) return record;
  const { groups, ...rest } = record;
  return { ...rest, scope: { ...WHOLE_SCOPE, groups } };
}

const stateSchema = z.strictObject({
  version: z.literal(1),
  tokens: z.array(z.preprocess(withScope, tokenSchema)),
  pins: z.array(pinsSchema).default([]),
  consents: z.array(z.strictObject({ hash: z.string(), by: z.string(), at: z.string() })).default([]),
});

const EMPTY: ConfigState = { version: 1, tokens: [], pins: [], consents: [] };

/**
 * A `ConfigStore` in one JSON file of mode 600. Writes are atomic (a new file, synced, then renamed over the
 * old one, which stays as `.bak`); a file that does not parse is an error, never an empty state, since an empty
 * state would be written back over what can still be saved.
 */
export async function openConfigStore(file: string): Promise<ConfigStore> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const db = new Low<ConfigState>(new PrivateJsonFile(file), EMPTY);
  const listeners = new Set<(state: ConfigState) => void>();
  const inTurn = createQueue();

  const read = async (): Promise<void> => {
    const before = db.data;
    await db.read();
    if (!isDeepStrictEqual(db.data, before)) for (const listener of listeners) listener(db.data);
  };
  const write = async (state: ConfigState): Promise<void> => {
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
          await write(change(db.data));
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

class PrivateJsonFile implements Adapter<ConfigState> {
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** A file that is gone is the empty state: who removes it takes every token back. */
  async read(): Promise<ConfigState> {
    let text: string;
    try {
      text = await readFile(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
      throw error;
    }
    try {
      return stateSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new Error(`${this.file} is damaged; restore it from ${basename(this.file)}.bak`, {
        cause: error,
      });
    }
  }

  async write(data: ConfigState): Promise<void> {
    await copyFile(this.file, `${this.file}.bak`).catch(() => undefined);
    await replaceFile(this.file, `${JSON.stringify(data, null, 2)}\n`);
  }
}
