import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeyFile, readKeyFile } from './key-file.ts';

/** The key that secrets are encrypted under, and where it is from, to be named in errors. */
export interface MasterKey {
  readonly bytes: Buffer;
  readonly source: string;
  /** The file, where the gateway made the key itself. */
  readonly file?: string;
}

export const KEY_VARIABLE = 'TOOLGATE_MASTER_KEY';
export const KEY_FILE_VARIABLE = 'TOOLGATE_MASTER_KEY_FILE';

/**
 * The master key: of `TOOLGATE_MASTER_KEY`, of the file that `TOOLGATE_MASTER_KEY_FILE` names, or of `master.key` in the
 * data folder, which is made once, mode 600. Rejects when a key is not 32 bytes.
 */
export async function readMasterKey(dataDir: string, env: NodeJS.ProcessEnv): Promise<MasterKey> {
  const given = env[KEY_VARIABLE];
  if (given !== undefined && given !== '')
    return { bytes: parseKey(given, KEY_VARIABLE), source: KEY_VARIABLE };
  const named = env[KEY_FILE_VARIABLE];
  if (named !== undefined && named !== '')
    return { bytes: parseKey(await readFile(named, 'utf8'), named), source: named };
  const file = keyFile(dataDir);
  const text = (await readKeyFile(file)) ?? (await makeKeyFile(file).then(() => readKeyFile(file)));
  return { bytes: parseKey(text ?? '', file), source: file, file };
}

export function keyFile(dataDir: string): string {
  return join(dataDir, 'master.key');
}

/** 32 bytes as 64 hex digits or base64. Throws where it is not, without a word of what it is. */
export function parseKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : Buffer.from(trimmed, 'base64');
  if (bytes.length === 32) return bytes;
  throw new Error(
    `${source} holds no master key: write 32 bytes as 64 hex digits or base64 (openssl rand -hex 32)`,
  );
}

/** The key of a rotation that was not finished; undefined when there is none. */
export async function pendingKey(file: string): Promise<Buffer | undefined> {
  const text = await readKeyFile(`${file}.next`);
  return text === undefined ? undefined : parseKey(text, `${file}.next`);
}

/** Writes down the key that comes next, before anything is encrypted under it. */
export async function prepareKey(file: string): Promise<Buffer> {
  const known = await pendingKey(file);
  if (known !== undefined) return known;
  await makeKeyFile(`${file}.next`);
  return parseKey((await readKeyFile(`${file}.next`)) ?? '', `${file}.next`);
}

/** Puts the prepared key in the place of the one before. */
export async function commitKey(file: string): Promise<void> {
  await rename(`${file}.next`, file);
}
