import type { Compilable, Kysely } from 'kysely';
import type { PausedRun, RunStore } from './contracts.ts';
import { openSqliteTables } from './sqlite-file.ts';

interface Schema {
  runs: PausedRun;
}

/** A `RunStore` in one SQLite file of mode 600. Each change is on the disk when it resolves. */
export async function openRunStore(file: string): Promise<RunStore> {
  const { db, close } = openSqliteTables(file, 'full', { tables });
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
    close,
  };
}

function tables(db: Kysely<Schema>): Compilable[] {
  return [
    db.schema
      .createTable('runs')
      .ifNotExists()
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('tokenId', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull()),
  ];
}
