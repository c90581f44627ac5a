import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { PausedRun, RunStore } from './contracts.ts';
import { nodeSqliteDialect } from './sqlite-dialect.ts';

/** A `RunStore` in one SQLite file of mode 600. Each change is on the disk when it resolves. */
export async function openRunStore(file: string): Promise<RunStore> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: 2_000 });
  chmodSync(file, 0o600);
  database.exec('pragma journal_mode = wal; pragma synchronous = full;');
  const db = new Kysely<{ runs: PausedRun }>({ dialect: nodeSqliteDialect(database) });
  await db.schema
    .createTable('runs')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('tokenId', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .execute();
  return {
    save: async (run) => {
      await db
        .insertInto('runs')
        .values(run)
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ state: run.state }))
        .execute();
    },
    remove: async (id) => {
      await db.deleteFrom('runs').where('id', '=', id).execute();
    },
    all: () => db.selectFrom('runs').selectAll().execute(),
    close: async () => {
      await db.destroy();
      database.close();
    },
  };
}
