import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Puts a text in the place of a file, whole or not at all: a new file beside it is synced, then renamed
 * over it, and the folder synced. One writer of a process at a time.
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
  await syncFolder(dirname(file));
}

/** What was renamed or removed in a folder stays so after a power cut, where the system can promise that. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows opens no folder.
  }
}

/** Removes what writers left that were killed before their file was in place. Only while no other writes. */
export async function removeUnfinished(file: string): Promise<void> {
  const start = `.${basename(file)}.`;
  const unfinished = (name: string): boolean =>
    name.startsWith(start) && /^\d+\.new$/.test(name.slice(start.length));
  const names = await readdir(dirname(file));
  await Promise.all(names.filter(unfinished).map((name) => rm(join(dirname(file), name), { force: true })));
}
