import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';

/** The text of a file of keys; undefined when there is none. */
export async function readKeyFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/**
 * Makes a key of 32 random bytes, in hex, in a file of mode 600, unless there is one. It is linked into place whole: of
 * several processes that start at once, the first wins and none reads half a key.
 */
export async function makeKeyFile(file: string): Promise<void> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(fresh, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600, flush: true });
  try {
    await link(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(fresh, { force: true });
  }
}
