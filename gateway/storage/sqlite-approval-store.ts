import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, type Selectable } from 'kysely';
import type { ApprovalDecision, ApprovalStatus } from '../contract/approvals.ts';
import type { ApprovalContent, ApprovalRecord, ApprovalStore, GrantRecord } from './contracts.ts';
import { nodeSqliteDialect } from './sqlite-dialect.ts';

interface Schema {
  approvals: {
    id: string;
    status: ApprovalStatus;
    binding: string;
    family: string;
    subject: string;
    createdAt: number;
    expiresAt: number;
    /** JSON. */
    content: string;
    decision: string | null;
  };
  grants: {
    id: string;
    family: string;
    session: string | null;
    expiresAt: number;
    uses: number;
    /** JSON of the rest. */
    content: string;
  };
}

/** An `ApprovalStore` in one SQLite file of mode 600. Each change is on the disk when it resolves. */
export async function openApprovalStore(file: string): Promise<ApprovalStore> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: 2_000 });
  chmodSync(file, 0o600);
  database.exec('pragma journal_mode = wal; pragma synchronous = full;');
  const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
  await createTables(db);
  return {
    ...requests(db),
    ...grants(db),
    purge: async (time) => {
      await db
        .deleteFrom('approvals')
        .where('createdAt', '<', time)
        .where('status', '!=', 'pending')
        .execute();
      await db.deleteFrom('grants').where('expiresAt', '<', time).execute();
    },
    close: async () => {
      await db.destroy();
      database.close();
    },
  };
}

type Requests = Pick<ApprovalStore, 'add' | 'get' | 'list' | 'find' | 'settle' | 'spend' | 'expire'>;

function requests(db: Kysely<Schema>): Requests {
  return {
    add: async ({ content, decision, ...record }) => {
      const row = { ...record, content: JSON.stringify(content), decision: json(decision) };
      await db.insertInto('approvals').values(row).execute();
    },
    get: async (id) => {
      const row = await db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toRecord(row);
    },
    list: async ({ status, limit }) => {
      let query = db.selectFrom('approvals').selectAll();
      if (status !== undefined) query = query.where('status', '=', status);
      const rows = await query.orderBy('createdAt', 'desc').orderBy('id').limit(limit).execute();
      return rows.map(toRecord);
    },
    find: async (binding, statuses, now) => {
      const row = await db
        .selectFrom('approvals')
        .selectAll()
        .where('binding', '=', binding)
        .where('status', 'in', statuses)
        .where('expiresAt', '>', now)
        .orderBy('createdAt', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    settle: async (id, status, decision, now) => {
      const row = await db
        .updateTable('approvals')
        .set({ status, decision: json(decision) })
        .where('id', '=', id)
        .where('status', '=', 'pending')
        .where('expiresAt', '>', now)
        .returning('id')
        .executeTakeFirst();
      return row !== undefined;
    },
    spend: async (binding, now) => {
      const row = await db
        .updateTable('approvals')
        .set({ status: 'spent' })
        .where('status', '=', 'approved')
        .where('id', '=', (one) =>
          one
            .selectFrom('approvals')
            .select('id')
            .where('binding', '=', binding)
            .where('status', '=', 'approved')
            .where('expiresAt', '>', now)
            .orderBy('createdAt')
            .limit(1),
        )
        .returningAll()
        .executeTakeFirst();
      return row && toRecord(row);
    },
    expire: async (now) => {
      const rows = await db
        .updateTable('approvals')
        .set({ status: 'expired' })
        .where('status', 'in', ['pending', 'approved'])
        .where('expiresAt', '<=', now)
        .returningAll()
        .execute();
      return rows.map(toRecord);
    },
  };
}

function grants(db: Kysely<Schema>): Pick<ApprovalStore, 'addGrant' | 'useGrant' | 'grants' | 'removeGrant'> {
  return {
    addGrant: async ({ id, family, session, expiresAt, uses, ...rest }) => {
      const row = { id, family, session, expiresAt, uses, content: JSON.stringify(rest) };
      await db.insertInto('grants').values(row).execute();
    },
    useGrant: async (family, session, now) => {
      const row = await db
        .updateTable('grants')
        .set((one) => ({ uses: one('uses', '+', 1) }))
        .where('id', '=', (one) =>
          one
            .selectFrom('grants')
            .select('id')
            .where('family', '=', family)
            .where('expiresAt', '>', now)
            .where((either) => either.or([either('session', 'is', null), either('session', '=', session)]))
            .limit(1),
        )
        .returningAll()
        .executeTakeFirst();
      return row && toGrant(row);
    },
    grants: async (now) => {
      const rows = await db.selectFrom('grants').selectAll().where('expiresAt', '>', now).execute();
      return rows.map(toGrant);
    },
    removeGrant: async (id) => {
      const row = await db.deleteFrom('grants').where('id', '=', id).returning('id').executeTakeFirst();
      return row !== undefined;
    },
  };
}

function toRecord({ content, decision, ...row }: Selectable<Schema['approvals']>): ApprovalRecord {
  return {
    ...row,
    content: JSON.parse(content) as ApprovalContent,
    decision: decision === null ? null : (JSON.parse(decision) as ApprovalDecision),
  };
}

function toGrant({ content, ...row }: Selectable<Schema['grants']>): GrantRecord {
  return { ...(JSON.parse(content) as Omit<GrantRecord, keyof typeof row>), ...row };
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

async function createTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('approvals')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('binding', 'text', (column) => column.notNull())
    .addColumn('family', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'integer', (column) => column.notNull())
    .addColumn('expiresAt', 'integer', (column) => column.notNull())
    .addColumn('content', 'text', (column) => column.notNull())
    .addColumn('decision', 'text')
    .execute();
  const index = (name: string, columns: ('binding' | 'status' | 'createdAt')[]): Promise<void> =>
    db.schema.createIndex(name).ifNotExists().on('approvals').columns(columns).execute();
  await index('approvals_binding', ['binding', 'status']);
  await index('approvals_status', ['status', 'createdAt']);
  await db.schema
    .createTable('grants')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('family', 'text', (column) => column.notNull())
    .addColumn('session', 'text')
    .addColumn('expiresAt', 'integer', (column) => column.notNull())
    .addColumn('uses', 'integer', (column) => column.notNull())
    .addColumn('content', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('grants_family').ifNotExists().on('grants').columns(['family']).execute();
}
