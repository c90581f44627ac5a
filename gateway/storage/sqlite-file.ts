import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, type Compilable } from 'kysely';
import { nodeSqliteDialect } from './sqlite-dialect.ts';

/** How long a statement waits for another process that holds the file. The thread waits with it. */
const BUSY_MS = 2_000;
/** Columns by their names, each with its SQL type and constraint: the program's own words. */
export interface AddedColumns {
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
}

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

/** An open file, and what writes SQL for it. */
export interface SqliteTables<Schema> {
  readonly database: DatabaseSync;
  readonly db: Kysely<Schema>;
  close(): Promise<void>;
}

/**
 * A file of `openSqliteFile` with its tables: those of `tables` are made where they are not there, while nobody else does
 * so, in one piece: a wait in between would keep others of this process, who wait for the file, waiting for ever. `more`
 * are columns that a table of an earlier version lacks. Throws when the file cannot be used.
 */
export function openSqliteTables<Schema>(
  file: string,
  synchronous: 'normal' | 'full',
  {
    tables,
    more,
  }: { readonly tables: (db: Kysely<Schema>) => readonly Compilable[]; readonly more?: AddedColumns },
): SqliteTables<Schema> {
  const database = openSqliteFile(file, synchronous);
  const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
  try {
    database.exec('begin immediate');
    for (const one of tables(db)) database.exec(one.compile().sql);
    if (more !== undefined) addColumns(database, more);
    database.exec('commit');
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    database,
    db,
    close: async () => {
      await db.destroy();
      database.close();
    },
  };
}

function addColumns(database: DatabaseSync, { table, columns }: AddedColumns): void {
  const known = new Set(
    database
      .prepare(`select name from pragma_table_info(?)`)
      .all(table)
      .map(({ name }) => name),
  );
  for (const [name, definition] of Object.entries(columns))
    if (!known.has(name)) database.exec(`alter table "${table}" add column "${name}" ${definition}`);
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
