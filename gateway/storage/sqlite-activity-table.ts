import type { DatabaseSync } from 'node:sqlite';
import type { Compilable, Kysely } from 'kysely';
import type { CallRecord } from '../contract/activity.ts';
import type { ActivityQuery } from './contracts.ts';
import { openSqliteTables, type AddedColumns } from './sqlite-file.ts';

/** The table is the record, column by column. */
interface Schema {
  calls: CallRecord;
}

/** The activity record in its file. Every method takes the thread it runs on until the disk has answered. */
export interface ActivityTable {
  /** All rows or, when the disk fails, none. A row that is there already is passed over. */
  write(rows: readonly CallRecord[]): void;
  /** As the methods of an `ActivityStore`. */
  query(query: ActivityQuery): Promise<CallRecord[]>;
  lastUse(tokenIds: readonly string[]): Promise<Map<string, number>>;
  purge(time: number): Promise<number>;
  close(): Promise<void>;
}

/** Opens the SQLite file (WAL, mode 600), which is made if need be. Rejects when it cannot be used. */
export async function openActivityTable(file: string): Promise<ActivityTable> {
  const { database, db, close } = openSqliteTables(file, 'normal', { tables, more });
  const insert = insertStatement(database, db);

  return {
    write: (rows) => {
      database.exec('begin');
      try {
        for (const row of rows) insert(row);
        database.exec('commit');
      } catch (error) {
        database.exec('rollback');
        throw error;
      }
    },
    query: ({ limit }) =>
      db
        .selectFrom('calls')
        .selectAll()
        .orderBy('startedAt', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .execute(),
    lastUse: async (tokenIds) => {
      if (tokenIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('calls')
        .select(({ fn }) => ['tokenId', fn.max('startedAt').as('last')])
        .where('tokenId', 'in', tokenIds)
        .groupBy('tokenId')
        .execute();
      return new Map(rows.flatMap((row) => (row.tokenId === null ? [] : [[row.tokenId, row.last]])));
    },
    purge: async (time) => {
      const result = await db.deleteFrom('calls').where('startedAt', '<', time).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
    close,
  };
}

/** The columns, in the order in which the insert takes them. */
const COLUMNS = [
  'id',
  'traceId',
  'runId',
  'startedAt',
  'durationMs',
  'upstreamMs',
  'kind',
  'source',
  'subject',
  'tokenId',
  'server',
  'upstream',
  'name',
  'outcome',
  'rule',
  'retries',
  'cache',
  'approval',
  'notes',
  'metadata',
  'cost',
  'requestBytes',
  'responseBytes',
  'inputTokens',
  'outputTokens',
  'timeToFirstTokenMs',
] as const satisfies readonly (keyof CallRecord)[];

/**
 * Compiled and prepared once: doing so for every row costs more than the row. A row that was written although its
 * transaction seemed to fail must not fail every one after it, so a known id is passed over.
 */
function insertStatement(database: DatabaseSync, db: Kysely<Schema>): (row: CallRecord) => void {
  const { sql } = db
    .insertInto('calls')
    .columns(COLUMNS)
    .values(Object.fromEntries(COLUMNS.map((column) => [column, null])) as never)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .compile();
  const statement = database.prepare(sql);
  return (row) => void statement.run(...COLUMNS.map((column) => row[column]));
}

/** In the form of the first version; what came later is added, to new files as well. */
function tables({ schema }: Kysely<Schema>): Compilable[] {
  return [
    schema
      .createTable('calls')
      .ifNotExists()
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('traceId', 'text', (column) => column.notNull())
      .addColumn('runId', 'text')
      .addColumn('startedAt', 'integer', (column) => column.notNull())
      .addColumn('durationMs', 'real', (column) => column.notNull())
      .addColumn('upstreamMs', 'real', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('subject', 'text')
      .addColumn('tokenId', 'text')
      .addColumn('server', 'text', (column) => column.notNull())
      .addColumn('upstream', 'text')
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('rule', 'text')
      .addColumn('requestBytes', 'integer')
      .addColumn('responseBytes', 'integer')
      .addColumn('inputTokens', 'integer')
      .addColumn('outputTokens', 'integer')
      .addColumn('timeToFirstTokenMs', 'real'),
    schema.createIndex('calls_started').ifNotExists().on('calls').columns(['startedAt']),
    schema.createIndex('calls_token').ifNotExists().on('calls').columns(['tokenId', 'startedAt']),
  ];
}

const more: AddedColumns & { readonly columns: Partial<Record<keyof CallRecord, string>> } = {
  table: 'calls',
  columns: {
    upstream: 'text',
    // What was recorded before was never called again.
    retries: 'integer not null default 0',
    cache: 'text',
    approval: 'text',
    notes: 'text',
    metadata: 'text',
    cost: 'real',
  },
};
