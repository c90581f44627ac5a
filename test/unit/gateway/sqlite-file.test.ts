import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Compilable, Kysely } from 'kysely';
import { expect, it } from 'vitest';
import { openActivityTable } from '../../../gateway/storage/sqlite-activity-table.ts';
import { openSqliteFile, openSqliteTables } from '../../../gateway/storage/sqlite-file.ts';

const module = (name: string): string =>
  JSON.stringify(new URL(`../../../gateway/storage/${name}.ts`, import.meta.url).href);

it('is made by several processes at once, each of which can use it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-sqlite-'));
  // All begin each round in the same millisecond; without care about one round in ten fails somewhere.
  const script = (begin: number): string => `
    const { openActivityTable } = await import(${module('sqlite-activity-table')});
    const { openApprovalStore } = await import(${module('sqlite-approval-store')});
    for (let round = 0; round < 25; round++) {
      while (Date.now() < ${begin} + round * 60);
      const file = ${JSON.stringify(folder)} + '/' + round;
      const opened = [await openActivityTable(file + 'calls'), await openApprovalStore(file + 'approvals')];
      for (const one of opened) await one.close();
    }`;
  const begin = Date.now() + 1_500;
  await Promise.all(
    [1, 2, 3].map(() => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(begin)])),
  );
  const table = await openActivityTable(join(folder, '0calls'));
  expect(await table.query({ limit: 1 })).toEqual([]);
  await table.close();
});

it('is left as it was when its tables cannot be made, and is no lock to the next', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-sqlite-')), 'file');
  const tables = (db: Kysely<unknown>): Compilable[] => [
    db.schema.createTable('half').addColumn('id', 'text'),
    db.schema.createIndex('of_nothing').on('nothing').column('id'),
  ];
  expect(() => openSqliteTables(file, 'full', { tables })).toThrow('no such table');
  const database = openSqliteFile(file, 'full');
  expect(database.prepare('select name from sqlite_schema').all()).toEqual([]);
  database.exec('create table whole (id text)');
  database.close();
});

it('says so when it is no SQLite file', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-sqlite-')), 'file');
  await writeFile(file, 'not a database, but long enough to be looked at as one '.repeat(20));
  expect(() => openSqliteFile(file, 'full')).toThrow('file is not a database');
});
