import { rm } from 'node:fs/promises';
import * as z from 'zod';
import { VaultKeyError, type SecretEntry, type SecretVault } from '../credentials/vault.ts';
import { openJsonFile, type JsonFile } from './json-file.ts';
import { commitKey, pendingKey, prepareKey, type MasterKey } from './master-key.ts';
import { deriveKeys, idOf, seal, sealedSchema, unseal, type Keys, type Sealed } from './sealed.ts';

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** A record that opens under the master key alone; absent while nothing is kept. */
  check: sealedSchema.optional(),
  records: z.array(sealedSchema),
});
type FileState = z.infer<typeof fileSchema>;

const secretSchema = z.strictObject({ name: z.string(), value: z.string(), updatedAt: z.string() });

interface Secret extends SecretEntry {
  readonly value: string;
  readonly updatedAt: string;
}
type Secrets = ReadonlyMap<string, Secret>;

const EMPTY: FileState = { version: 1, records: [] };
const CHECK = 'toolgate-vault';

/** A vault in a file, whose key can be changed. */
export interface FileVault extends SecretVault {
  /** Encrypts everything under another key: `key`, or one that is made where the gateway keeps its own. */
  rotate(key?: Buffer): Promise<void>;
}

/**
 * Secrets in one file of mode 600 that several processes may share. Each is sealed for itself with AES-256-GCM (NIST SP
 * 800-38D) under a key derived from the master key, with a random nonce of 96 bits; names are sealed with the values,
 * and a record opens only in its own place. There is no backup of it: what was deleted is in no file any more. When
 * another process changes the key, it is read again by `readKey`; where that gives none that opens the file, what is
 * known stays in use, and every change is refused with a `VaultKeyError`. Rejects when the file was sealed under another
 * key, and changes nothing.
 */
export async function openFileVault(
  file: string,
  readKey: () => Promise<MasterKey>,
  deps: { readonly now: () => number; readonly onBroken: (error: unknown) => void },
): Promise<FileVault> {
  const store = await openJsonFile<FileState>(file, EMPTY, (value) => fileSchema.parse(value), {
    backup: false,
  });
  let keys: Keys;
  let secrets: Secrets;
  try {
    keys = await findKeys(store.current(), readKey, file);
    secrets = openAll(store.current(), keys);
    await rm(`${file}.bak`, { force: true });
  } catch (error) {
    await store.close();
    throw error;
  }
  const listeners = new Set<(changed: readonly string[]) => void>();
  const know = (state: FileState): void => {
    const before = secrets;
    secrets = openAll(state, keys);
    const changed = difference(before, secrets);
    if (changed.length > 0) for (const listener of listeners) listener(changed);
  };
  /** Another process has changed the key: it may have left the new one where this one's was. */
  const follow = async (): Promise<void> => {
    try {
      const found = await findKeys(store.current(), readKey, file);
      if (!opens(store.current(), found)) return;
      keys = found;
      know(store.current());
    } catch (error) {
      deps.onBroken(error);
    }
  };
  const stop = store.onChange((state) => {
    if (!opens(state, keys)) {
      void follow();
      return;
    }
    try {
      know(state);
    } catch (error) {
      deps.onBroken(error);
    }
  });
  /** Changes records under the key that the file has now, so that two keys are never mixed. */
  const change = (name: string, sealedBy: (keys: Keys) => Sealed | undefined): Promise<FileState> =>
    store.update(async (state) => {
      if (!opens(state, keys)) keys = await findKeys(state, readKey, file);
      const others = state.records.filter(({ id }) => id !== idOf(name, keys));
      const sealed = sealedBy(keys);
      return {
        ...state,
        check: state.check ?? seal(CHECK, CHECK, keys),
        records: sealed === undefined ? others : [...others, sealed],
      };
    });

  return {
    get: (name) => secrets.get(name)?.value,
    list: () => [...secrets.values()].map(({ name, updatedAt }) => ({ name, updatedAt })),
    set: async (name, value) => {
      const secret: Secret = { name, value, updatedAt: new Date(deps.now()).toISOString() };
      await change(name, (under) => seal(name, JSON.stringify(secret), under));
    },
    delete: async (name) => {
      if (!secrets.has(name)) return false;
      await change(name, () => undefined);
      return true;
    },
    rotate: async (given) => {
      const master = await readKey();
      if (given === undefined && master.file === undefined)
        throw new Error(`the master key comes from ${master.source}: give the new one too`);
      const next = deriveKeys(given ?? (await prepareKey(master.file ?? '')));
      const before = keys;
      try {
        await reseal(
          store,
          async (state) => (opens(state, before) ? before : findKeys(state, readKey, file)),
          next,
          () => (keys = next),
        );
      } catch (error) {
        keys = before;
        throw error;
      }
      if (given === undefined && master.file !== undefined) await commitKey(master.file);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      stop();
      await store.close();
    },
  };
}

/** How often the key is looked for, where another process puts a new one in its place meanwhile. */
const TRIES = 3;

/**
 * The keys that open the file: those of the master key, or, after a rotation that was cut short or is under way, those of
 * the one that was to come. Rejects with a `VaultKeyError` where none does.
 */
async function findKeys(state: FileState, readKey: () => Promise<MasterKey>, file: string): Promise<Keys> {
  let source = '';
  for (let tries = 0; tries < TRIES; tries++) {
    const master = await readKey().catch((error: unknown) => {
      throw new VaultKeyError((error as Error).message);
    });
    const keys = deriveKeys(master.bytes);
    if (opens(state, keys)) return keys;
    const next = master.file === undefined ? undefined : await pendingKey(master.file);
    if (master.file !== undefined && next !== undefined && opens(state, deriveKeys(next))) {
      await commitKey(master.file);
      return deriveKeys(next);
    }
    ({ source } = master);
  }
  throw new VaultKeyError(
    `${file} was encrypted under another master key than that of ${source}; nothing was changed: start again with the key of the last rotation`,
  );
}

function opens({ check }: FileState, keys: Keys): boolean {
  if (check === undefined) return true;
  try {
    return unseal(check, keys) === CHECK;
  } catch {
    return false;
  }
}

async function reseal(
  store: JsonFile<FileState>,
  keysOf: (state: FileState) => Promise<Keys>,
  next: Keys,
  onSealed: () => void,
): Promise<void> {
  await store.update(async (state) => {
    const records = [...openAll(state, await keysOf(state)).values()].map((secret) =>
      seal(secret.name, JSON.stringify(secret), next),
    );
    onSealed();
    return { version: 1, check: seal(CHECK, CHECK, next), records };
  });
}

function openAll({ records }: FileState, keys: Keys): Map<string, Secret> {
  const secrets = records.map((record) => secretSchema.parse(JSON.parse(unseal(record, keys))));
  return new Map(secrets.sort((a, b) => (a.name < b.name ? -1 : 1)).map((secret) => [secret.name, secret]));
}

/** The names whose values are not the same. */
function difference(before: Secrets, after: Secrets): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name)?.value !== after.get(name)?.value);
}
