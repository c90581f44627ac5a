import { open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Puts a text in the place of a file, whole or not at all: a new file beside it is synced, then renamed
 * over it. One writer of a process at a time.
 */
export async function replaceFile(file: string, text: string, mode = 0o600): Promise<void> {
  const fresh = join(dirname(file), `.${basename(file)}.${process.pid}.new`);
  const handle = await open(fresh, 'w', mode);
  try {
    // What the file is made with is narrowed by the process's mask.
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
}
