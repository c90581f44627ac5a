import { mkdir, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 5_000;
/** No holder keeps the lock longer than this unless it died; it only reads and writes one small file. */
const STALE_MS = 10_000;

/**
 * Runs `work` while holding a lock that other processes respect: a folder, whose creation is atomic on every
 * file system. A lock left by a process that died is taken over after 10 s.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + WAIT_MS + STALE_MS;
  while (!(await acquire(path))) {
    if (Date.now() > deadline)
      throw new Error(`${path} is held by another process; remove it if none is running`);
    await sleep(20);
  }
  try {
    return await work();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const age = await stat(path).then(
    (info) => Date.now() - info.mtimeMs,
    () => 0,
  );
  if (age > STALE_MS) await rm(path, { recursive: true, force: true });
  return false;
}
