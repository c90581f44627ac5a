import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 5_000;
/** No holder keeps the lock longer than this unless it died; it only reads and writes one small file. */
const STALE_MS = 10_000;

/**
 * Runs `work` while holding a lock that other processes respect: a folder with its holder's name in it, which is renamed
 * into place as a whole. A lock left by a process that died is taken over: at once where that can be seen, on this
 * machine, and after 10 s everywhere.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const holder = `${machine()}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const prepared = `${path}.${holder}`;
  const deadline = Date.now() + WAIT_MS + STALE_MS;
  await mkdir(prepared);
  try {
    await writeFile(join(prepared, holder), '');
    while (!(await acquire(path, prepared))) {
      if (Date.now() > deadline)
        throw new Error(`${path} is held by another process; remove it if none is running`);
      await sleep(20);
    }
    return await work();
  } finally {
    await release(path, holder);
    await rm(prepared, { recursive: true, force: true });
  }
}

const TAKEN: readonly unknown[] = ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'];

async function acquire(path: string, prepared: string): Promise<boolean> {
  try {
    await rename(prepared, path);
    return true;
  } catch (error) {
    if (!TAKEN.includes((error as NodeJS.ErrnoException).code) || !existsSync(path)) {
      // Where it is gone by now, the next try says whether it can be had.
      if (!existsSync(dirname(path)) || !existsSync(prepared)) throw error;
      return false;
    }
  }
  const holders = await readdir(path).catch((): string[] => []);
  const age = await stat(path).then(
    (info) => Date.now() - info.mtimeMs,
    () => 0,
  );
  if (age > STALE_MS || holders.some(hasDied)) await takeAway(path, holders);
  return false;
}

/** Only a lock that this one still holds: one that was taken over is another's. */
async function release(path: string, holder: string): Promise<void> {
  try {
    await unlink(join(path, holder));
    await rmdir(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Takes a lock away from holders that died. Several may try at once, and another may hold it meanwhile. */
async function takeAway(path: string, dead: readonly string[]): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const found = await readdir(aside).catch((): string[] => []);
  // Somebody was faster, and holds it now: it gets it back.
  if (found.some((holder) => !dead.includes(holder))) await rename(aside, path).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
  await removeUnused(path);
}

/** What those prepared who died while they waited. */
async function removeUnused(path: string): Promise<void> {
  const start = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const unused = names.filter((name) => name.startsWith(start) && hasDied(name.slice(start.length)));
  await Promise.all(unused.map((name) => rm(join(dirname(path), name), { recursive: true, force: true })));
}

function hasDied(holder: string): boolean {
  const [pid, ...rest] = holder.split('.').slice(0, -1).reverse();
  // Of another machine, or another container, nothing can be told by a number.
  if (rest.reverse().join('.') !== machine()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function machine(): string {
  return hostname().replace(/[^\w.-]/g, '_');
}
