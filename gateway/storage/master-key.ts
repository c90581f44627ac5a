import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeyFile, readKeyFile } from './key-file.ts';
import { dataFiles } from './paths.ts';

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
 * data folder, which is made once, mode 600, unless there are secrets under another key already. Rejects when a key is not
 * 32 bytes.
 */
export async function readMasterKey(dataDir: string, env: NodeJS.ProcessEnv): Promise<MasterKey> {
  const given = env[KEY_VARIABLE];
  if (given !== undefined && given !== '')
    return { bytes: parseKey(given, KEY_VARIABLE), source: KEY_VARIABLE };
  const named = env[KEY_FILE_VARIABLE];
  if (named !== undefined && named !== '')
    return { bytes: parseKey(await readFile(named, 'utf8'), named), source: named };
  const file = keyFile(dataDir);
  let text = await readKeyFile(file);
  if (text === undefined) {
    const { secrets } = dataFiles(dataDir);
    if (existsSync(secrets))
      throw new Error(
        `${secrets} is there, and ${file} is not: set ${KEY_VARIABLE} or ${KEY_FILE_VARIABLE} to the key it is encrypted under`,
      );
    await makeKeyFile(file);
    text = await readKeyFile(file);
  }
  return { bytes: parseKey(text ?? '', file), source: file, file };
}

export function keyFile(dataDir: string): string {
  return join(dataDir, 'master.key');
}

const HEX = /^[0-9a-f]{64}$/i;
/** The last digit before the padding stands for four bits, so that not all will do. */
const BASE64 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** 32 bytes as 64 hex digits or base64, and nothing else. Throws where it is not, without a word of what it is. */
export function parseKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  if (HEX.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (BASE64.test(trimmed)) return Buffer.from(trimmed, 'base64');
  throw new Error(
    `${source} holds no master key (it has ${trimmed.length} characters): write 32 bytes as 64 hex digits (openssl rand -hex 32) or as 44 characters of base64 (openssl rand -base64 32)`,
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

/** Puts the prepared key in the place of the one before. Another process may have done so meanwhile. */
export async function commitKey(file: string): Promise<void> {
  try {
    await rename(`${file}.next`, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Removes the keys that the gateway made, when nothing is encrypted under them any more. True where there were any. */
export async function removeKeys(dataDir: string): Promise<boolean> {
  const file = keyFile(dataDir);
  const known = existsSync(file);
  for (const one of [file, `${file}.next`]) await rm(one, { force: true });
  return known;
}
