import type { CallRecord } from '../contract/activity.ts';
import { createActivityThread, type ActivityThread } from './activity-thread.ts';
import type { ActivityStore } from './contracts.ts';
import { openActivityTable } from './sqlite-activity-table.ts';

/** Rows are written so long after the first of them, or at once when so many wait. */
const WRITE_MS = 100;
const WRITE_ROWS = 64;
/** Rows that wait, and rows that are under way to a disk which does not get on; of more that wait, the oldest are lost. */
const MOST_ROWS = 5_000;
/** After a failure; every row would otherwise try anew. */
const RETRY_MS = 5_000;

/**
 * An `ActivityStore` in one SQLite file (WAL) of mode 600. A thread of its own writes it: SQLite waits for the disk, and
 * calls under way would wait with it. When the disk or the thread fails, `onError` hears of it once until it works again,
 * and the newest rows are kept for the next attempt, one in some seconds. Rejects when the file cannot be used.
 */
export async function openActivityStore(
  file: string,
  onError: (error: unknown) => void,
  thread: ActivityThread = createActivityThread(file),
): Promise<ActivityStore> {
  // Whoever starts the gateway is told now, not the log when the first call has been made. It stays open, since closing
  // a file's last connection locks it, and other gateways may be starting with it.
  const table = await openActivityTable(file);
  const batches = new Set<Promise<void>>();
  let waiting: CallRecord[] = [];
  let underWay = 0;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;

  const writeRows = async (rows: readonly CallRecord[]): Promise<void> => {
    underWay += rows.length;
    try {
      await thread.ask({ method: 'write', argument: JSON.stringify(rows) });
      failing = false;
    } catch (error) {
      if (!failing) onError(error);
      failing = true;
      waiting = [...rows, ...waiting].slice(-MOST_ROWS);
      clearTimeout(timer);
      timer = setTimeout(write, RETRY_MS).unref();
    } finally {
      underWay -= rows.length;
    }
  };
  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    if (underWay > MOST_ROWS) return later(WRITE_MS);
    const batch = writeRows(waiting.splice(0)).finally(() => batches.delete(batch));
    batches.add(batch);
  };
  const later = (delay: number): void => {
    timer ??= setTimeout(write, delay).unref();
  };
  const flush = async (): Promise<void> => {
    write();
    await Promise.all(batches);
  };

  return {
    append: (record) => {
      waiting.push(record);
      if (waiting.length > MOST_ROWS) waiting.shift();
      if (waiting.length >= WRITE_ROWS && !failing) write();
      else later(WRITE_MS);
    },
    query: async (query) => {
      write();
      return (await thread.ask({ method: 'query', argument: query })) as CallRecord[];
    },
    lastUse: async (tokenIds) => {
      write();
      return (await thread.ask({ method: 'lastUse', argument: tokenIds })) as Map<string, number>;
    },
    purge: async (time) => (await thread.ask({ method: 'purge', argument: time })) as number,
    flush,
    close: async () => {
      await flush();
      clearTimeout(timer);
      await thread.close();
      await table.close();
    },
  };
}
