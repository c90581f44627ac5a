import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { nodeSqliteDialect } from './sqlite-dialect.ts';

/** How long a statement waits for another process that holds the file. The thread waits with it. */
const BUSY_MS = 2_000;
/** Between two attempts to take a file for oneself. */
const PAUSE_MS = 10;

/**
 * Opens an SQLite file (WAL, mode 600), which is made if need be. Several processes may open a new one at once. With
 * `synchronous` full each change is on the disk when its statement returns, with normal none is half there. Throws when
 * the file cannot be used.
 */
export function openSqliteFile(file: string, synchronous: 'normal' | 'full'): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  // The files SQLite keeps beside it take the same mode.
  chmodSync(file, 0o600);
  useWal(database);
  database.exec(`pragma synchronous = ${synchronous}`);
  return database;
}

/**
 * A file of `openSqliteFile` with its tables, made or brought up to date by `tables` while no other process does so.
 * Rejects when it cannot be used.
 */
export async function openSqliteTables<Schema>(
  file: string,
  synchronous: 'normal' | 'full',
  tables: (db: Kysely<Schema>) => Promise<void>,
): Promise<{ readonly database: DatabaseSync; readonly db: Kysely<Schema>; close(): Promise<void> }> {
  const database = openSqliteFile(file, synchronous);
  const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
  const close = async (): Promise<void> => {
    await db.destroy();
    database.close();
  };
  try {
    database.exec('begin immediate');
    await tables(db);
    database.exec('commit');
  } catch (error) {
    await close();
    throw error;
  }
  return { database, db, close };
}

/** The change to WAL needs the file alone and, unlike any other statement, does not wait until it is. */
function useWal(database: DatabaseSync): void {
  const until = Date.now() + BUSY_MS;
  for (;;) {
    try {
      database.exec('pragma journal_mode = wal');
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() >= until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}

function isBusy(error: unknown): boolean {
  const SQLITE_BUSY = 5;
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}
