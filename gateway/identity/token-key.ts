import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The key that token hashes are made with: 32 random bytes in `token.key` of the data folder, mode 600, made
 * once. With the store alone, stolen hashes cannot be tried against guesses.
 */
export async function readTokenKey(dataDir: string): Promise<Buffer> {
  const file = join(dataDir, 'token.key');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const key = (await readKey(file)) ?? (await makeKey(file).then(() => readKey(file)));
  if (key?.length !== 32)
    throw new Error(`${file} is damaged: it must hold 64 hex digits. All tokens depend on it.`);
  return key;
}

async function readKey(file: string): Promise<Buffer | undefined> {
  try {
    return Buffer.from((await readFile(file, 'utf8')).trim(), 'hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Linked into place whole: of several processes that start at once, the first wins and none reads half a key. */
async function makeKey(file: string): Promise<void> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(fresh, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600 });
  try {
    await link(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(fresh, { force: true });
  }
}
