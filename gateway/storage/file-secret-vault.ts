import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import * as z from 'zod';
import { openJsonFile, type JsonFile } from './json-file.ts';
import { commitKey, pendingKey, prepareKey, type MasterKey } from './master-key.ts';
import type { SecretEntry, SecretVault } from '../credentials/vault.ts';

const recordSchema = z.strictObject({ id: z.string(), nonce: z.string(), sealed: z.string() });
const fileSchema = z.strictObject({
  version: z.literal(1),
  /** A record that opens under the master key alone; absent while nothing is kept. */
  check: recordSchema.optional(),
  records: z.array(recordSchema),
});
type Sealed = z.infer<typeof recordSchema>;
type FileState = z.infer<typeof fileSchema>;

interface Secret extends SecretEntry {
  readonly value: string;
  readonly updatedAt: string;
}

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
 * and a record opens only in its own place. Rejects when the file was sealed under another key, and changes nothing.
 */
export async function openFileVault(
  file: string,
  master: MasterKey,
  deps: { readonly now: () => number; readonly onBroken: (error: unknown) => void },
): Promise<FileVault> {
  const store = await openJsonFile<FileState>(file, EMPTY, (value) => fileSchema.parse(value));
  let keys: Keys;
  let secrets: ReadonlyMap<string, Secret>;
  try {
    keys = await keysThatOpen(store.current(), master, file);
    secrets = openAll(store.current(), keys);
  } catch (error) {
    await store.close();
    throw error;
  }
  const listeners = new Set<() => void>();
  const stop = store.onChange((state) => {
    try {
      secrets = openAll(state, keys);
    } catch (error) {
      // Another process has changed the key: what is known stays in use until this one starts again.
      deps.onBroken(error);
      return;
    }
    for (const listener of listeners) listener();
  });
  const change = (name: string, sealed: Sealed | undefined): Promise<FileState> =>
    store.update((state) => {
      // Never mixes records under two keys, whoever rotated meanwhile.
      if (state.check !== undefined) open(state.check, keys);
      const others = state.records.filter(({ id }) => id !== idOf(name, keys));
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
      await change(name, seal(name, JSON.stringify(secret), keys));
    },
    delete: async (name) => {
      if (!secrets.has(name)) return false;
      await change(name, undefined);
      return true;
    },
    rotate: async (given) => {
      if (given === undefined && master.file === undefined)
        throw new Error(`the master key comes from ${master.source}: give the new one too`);
      const next = derive(given ?? (await prepareKey(master.file ?? '')));
      const before = keys;
      try {
        await reseal(store, before, next, () => (keys = next));
      } catch (error) {
        keys = before;
        throw error;
      }
      // What is kept of before was sealed under the key that is not to count any more.
      await rm(`${file}.bak`, { force: true });
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

interface Keys {
  readonly sealing: Buffer;
  /** Names become ids by it, so that the file tells nobody which secrets there are. */
  readonly naming: Buffer;
}

function derive(master: Buffer): Keys {
  const part = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', master, '', `toolgate ${purpose}`, 32));
  return { sealing: part('seal'), naming: part('name') };
}

/** The keys of the master key; or, after a rotation that was cut short, those of the one that was to come. */
async function keysThatOpen(state: FileState, master: MasterKey, file: string): Promise<Keys> {
  const keys = derive(master.bytes);
  if (opens(state, keys)) return keys;
  const next = master.file === undefined ? undefined : await pendingKey(master.file);
  if (master.file !== undefined && next !== undefined && opens(state, derive(next))) {
    await commitKey(master.file);
    return derive(next);
  }
  throw new Error(
    `${file} was encrypted under another master key than that of ${master.source}; nothing was changed`,
  );
}

function opens({ check }: FileState, keys: Keys): boolean {
  if (check === undefined) return true;
  try {
    return open(check, keys) === CHECK;
  } catch {
    return false;
  }
}

async function reseal(
  store: JsonFile<FileState>,
  before: Keys,
  next: Keys,
  onSealed: () => void,
): Promise<void> {
  await store.update((state) => {
    const records = [...openAll(state, before).values()].map((secret) =>
      seal(secret.name, JSON.stringify(secret), next),
    );
    onSealed();
    return { version: 1, check: seal(CHECK, CHECK, next), records };
  });
}

function openAll({ records }: FileState, keys: Keys): Map<string, Secret> {
  const secrets = records.map((record) => secretSchema.parse(JSON.parse(open(record, keys))));
  return new Map(secrets.sort((a, b) => (a.name < b.name ? -1 : 1)).map((secret) => [secret.name, secret]));
}

const secretSchema = z.strictObject({ name: z.string(), value: z.string(), updatedAt: z.string() });

function idOf(name: string, { naming }: Keys): string {
  return createHmac('sha256', naming).update(name).digest('base64url').slice(0, 22);
}

function seal(name: string, text: string, keys: Keys): Sealed {
  const id = idOf(name, keys);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keys.sealing, nonce).setAAD(Buffer.from(`v1 ${id}`));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { id, nonce: nonce.toString('base64url'), sealed: sealed.toString('base64url') };
}

/** Throws where the record is another's, was changed, or is under another key. */
function open({ id, nonce, sealed }: Sealed, { sealing }: Keys): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', sealing, Buffer.from(nonce, 'base64url'), {
    authTagLength: 16,
  })
    .setAAD(Buffer.from(`v1 ${id}`))
    .setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8');
}
