import type { DatabaseSync } from 'node:sqlite';
import type { Compilable, Kysely, Selectable } from 'kysely';
import type { ApprovalStatus } from '../contract/approvals.ts';
import type {
  ApprovalContent,
  ApprovalRecord,
  ApprovalStore,
  GrantRecord,
  KeptDecision,
} from './contracts.ts';
import { openSqliteTables } from './sqlite-file.ts';

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
  const { database, db, close } = openSqliteTables(file, 'full', { tables });
  return {
    ...requests(db),
    ...grants(db),
    ...atomic(database),
    purge: async (time) => {
      // A denial holds until it expires, however long that is.
      await db
        .deleteFrom('approvals')
        .where('expiresAt', '<', time)
        .where('status', '!=', 'pending')
        .execute();
    },
    close,
  };
}

/**
 * What is more than one statement and must be one change, beside other processes too. Made without waiting, so that
 * nothing else of this process comes between.
 */
function atomic(
  database: DatabaseSync,
): Pick<ApprovalStore, 'add' | 'take' | 'removeGrantsOf' | 'sweepGrants'> {
  const same = database.prepare(
    `select * from approvals where binding = ? and status in ('pending', 'denied') and expiresAt > ?
      order by createdAt desc limit 1`,
  );
  const waiting = database.prepare(
    `select count(*) as "all", coalesce(sum(subject = ?1), 0) as own,
      coalesce(sum(octet_length(content)), 0) as bytesAll,
      coalesce(sum(case when subject = ?1 then octet_length(content) end), 0) as bytesOwn
      from approvals where status = 'pending' and expiresAt > ?2`,
  );
  const insert = database.prepare(
    `insert into approvals (id, status, binding, family, subject, createdAt, expiresAt, content, decision)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const spend = database.prepare(
    `update approvals set status = 'spent' where id = ? and status = 'approved' and expiresAt > ?`,
  );
  const use = database.prepare('update grants set uses = uses + 1 where id = ? and expiresAt > ?');
  const removeOf = database.prepare('delete from grants where session = ?');
  const bounds = database.prepare('select id, session, expiresAt from grants');
  const remove = database.prepare('delete from grants where id = ?');
  return {
    add: (record, most) =>
      whole(database, () => {
        const { id, status, binding, family, subject, createdAt, expiresAt, content, decision } = record;
        const known = same.get(binding, createdAt) as Selectable<Schema['approvals']> | undefined;
        if (known !== undefined) return { record: toRecord(known), added: false };
        const texts = [JSON.stringify(content), json(decision)] as const;
        const bytes = Buffer.byteLength(texts[0]);
        const there = waiting.get(subject, createdAt) as Record<
          'all' | 'own' | 'bytesAll' | 'bytesOwn',
          number
        >;
        const tooMany = there.all >= most.all || there.own >= most.each;
        const tooMuch = there.bytesAll + bytes > most.bytesAll || there.bytesOwn + bytes > most.bytesEach;
        if (tooMany || tooMuch) return { full: there.own };
        insert.run(id, status, binding, family, subject, createdAt, expiresAt, ...texts);
        return { record, added: true };
      }),
    take: async ({ approvals, grants: lasting }, now) => {
      try {
        return await whole(database, () => {
          const changed = [
            ...approvals.map((id) => spend.run(id, now).changes),
            ...lasting.map((id) => use.run(id, now).changes),
          ];
          if (!changed.every((count) => Number(count) === 1)) throw new Taken();
          return true;
        });
      } catch (error) {
        if (error instanceof Taken) return false;
        throw error;
      }
    },
    // Sessions also end when the gateway does, which waits for none of them.
    removeGrantsOf: (session) => whole(database, () => Number(removeOf.run(session).changes) > 0),
    sweepGrants: (now, goesOn) => {
      const all = bounds.all() as Pick<Selectable<Schema['grants']>, 'id' | 'session' | 'expiresAt'>[];
      const over = all.filter(
        ({ session, expiresAt }) => expiresAt <= now || (session !== null && !goesOn(session)),
      );
      // Nothing is locked where nothing is to be done, which is nearly always.
      if (over.length === 0) return Promise.resolve(false);
      return whole(database, () => over.some(({ id }) => Number(remove.run(id).changes) > 0));
    },
  };
}

/** One of those that were wanted is not to be had: none is taken. */
class Taken extends Error {}

/** All that `work` does to the database, or nothing. */
function whole<T>(database: DatabaseSync, work: () => T): Promise<T> {
  return new Promise((resolve) => {
    database.exec('begin immediate');
    try {
      const done = work();
      database.exec('commit');
      resolve(done);
    } catch (error) {
      database.exec('rollback');
      throw error;
    }
  });
}

type Requests = Pick<ApprovalStore, 'get' | 'status' | 'list' | 'find' | 'settle' | 'expire'>;

function requests(db: Kysely<Schema>): Requests {
  return {
    get: async (id) => {
      const row = await db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toRecord(row);
    },
    status: async (id) => {
      const row = await db.selectFrom('approvals').select('status').where('id', '=', id).executeTakeFirst();
      return row?.status;
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

function grants(db: Kysely<Schema>): Pick<ApprovalStore, 'addGrant' | 'grants' | 'removeGrant'> {
  return {
    addGrant: async ({ id, family, session, expiresAt, uses, ...rest }) => {
      const row = { id, family, session, expiresAt, uses, content: JSON.stringify(rest) };
      await db.insertInto('grants').values(row).execute();
    },
    grants: async (now, family) => {
      let query = db.selectFrom('grants').selectAll().where('expiresAt', '>', now);
      if (family !== undefined) query = query.where('family', '=', family);
      return (await query.execute()).map(toGrant);
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
    decision: decision === null ? null : (JSON.parse(decision) as KeptDecision),
  };
}

function toGrant({ content, ...row }: Selectable<Schema['grants']>): GrantRecord {
  return { ...(JSON.parse(content) as Omit<GrantRecord, keyof typeof row>), ...row };
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

function tables({ schema }: Kysely<Schema>): Compilable[] {
  return [
    schema
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
      .addColumn('decision', 'text'),
    schema.createIndex('approvals_binding').ifNotExists().on('approvals').columns(['binding', 'status']),
    schema.createIndex('approvals_status').ifNotExists().on('approvals').columns(['status', 'createdAt']),
    schema
      .createTable('grants')
      .ifNotExists()
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('family', 'text', (column) => column.notNull())
      .addColumn('session', 'text')
      .addColumn('expiresAt', 'integer', (column) => column.notNull())
      .addColumn('uses', 'integer', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull()),
    schema.createIndex('grants_family').ifNotExists().on('grants').columns(['family']),
  ];
}
