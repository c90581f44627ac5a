import { existsSync } from 'node:fs';
import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../gateway/contract/activity.ts';
import type { ActivityStore } from '../../../gateway/storage/contracts.ts';
import { createActivityThread } from '../../../gateway/storage/activity-thread.ts';
import { openActivityStore } from '../../../gateway/storage/sqlite-activity-store.ts';

let file: string;
let errors: unknown[];
let store: ActivityStore;

beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'toolgate-unit-')), 'data', 'activity.sqlite');
  errors = [];
  store = await open();
});
afterEach(async () => {
  await store.close();
});

const open = (): Promise<ActivityStore> => openActivityStore(file, (error) => errors.push(error));

const record = (at: number, more: Partial<CallRecord> = {}): CallRecord => ({
  id: `call-${String(at).padStart(6, '0')}`,
  traceId: 'a'.repeat(32),
  runId: null,
  startedAt: at,
  durationMs: 1.5,
  upstreamMs: 1.25,
  kind: 'tool',
  source: 'mcp',
  subject: 'user:owner',
  tokenId: 'token',
  server: 't:g:s',
  upstream: null,
  name: 'add',
  outcome: 'ok',
  rule: null,
  retries: 0,
  cache: null,
  approval: null,
  notes: null,
  metadata: null,
  cost: null,
  requestBytes: 10,
  responseBytes: null,
  inputTokens: null,
  outputTokens: null,
  timeToFirstTokenMs: null,
  ...more,
});
const times = async (limit = 1_000): Promise<number[]> =>
  (await store.query({ limit })).map(({ startedAt }) => startedAt);

describe('P53 the record of calls', () => {
  it('gives back what was appended, whole, also what was appended a moment ago', async () => {
    const full = record(7, {
      runId: 'run',
      subject: null,
      tokenId: null,
      name: "Ünïcode '; drop table calls; --",
      outcome: 'timeout',
      rule: 'timeouts.call',
      inputTokens: 1,
      outputTokens: 2,
      timeToFirstTokenMs: 3.5,
    });
    store.append(full);
    expect(await store.query({ limit: 10 })).toEqual([full]);
  });

  it('is listed from the newest, as many as asked for', async () => {
    for (const at of [3, 1, 2, 5, 4]) store.append(record(at));
    expect(await times()).toEqual([5, 4, 3, 2, 1]);
    expect(await times(2)).toEqual([5, 4]);
  });

  it('takes over a file that was written before a column was added', async () => {
    store.append(record(1));
    await store.close();
    const database = new DatabaseSync(file);
    database.exec('alter table calls drop column upstream');
    database.close();
    store = await open();
    store.append(record(2, { upstream: 't:g:behind' }));
    expect((await store.query({ limit: 10 })).map(({ upstream }) => upstream)).toEqual(['t:g:behind', null]);
  });

  it('survives closing and opening', async () => {
    store.append(record(1));
    await store.close();
    store = await open();
    store.append(record(2));
    expect(await times()).toEqual([2, 1]);
  });

  it('is on the disk within a second, without anybody asking', async () => {
    store.append(record(1));
    const other = new DatabaseSync(file, { readOnly: true });
    const count = (): unknown => other.prepare('select count(*) as n from calls').get()!['n'];
    await expect.poll(count, { timeout: 1_000 }).toBe(1);
    other.close();
  });

  it('takes a burst of many at once', async () => {
    for (let at = 0; at < 2_300; at++) store.append(record(at));
    await store.flush();
    expect(await times()).toHaveLength(1_000);
    expect(await store.purge(2_300)).toBe(2_300);
  });

  it('is nobody else’s to read', async () => {
    store.append(record(1));
    await store.flush();
    for (const path of [file, `${file}-wal`]) expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});

describe('the newest use of a token', () => {
  it('is told for those that were used', async () => {
    for (const [at, tokenId] of [
      [1, 'a'],
      [9, 'a'],
      [5, 'b'],
      [7, null],
    ] as const) {
      store.append(record(at, { tokenId }));
    }
    expect(await store.lastUse(['a', 'b', 'never'])).toEqual(
      new Map([
        ['a', 9],
        ['b', 5],
      ]),
    );
    expect(await store.lastUse([])).toEqual(new Map());
  });
});

describe('P168 purging', () => {
  it('deletes what started before, keeps the rest, and says how many', async () => {
    for (const at of [1, 2, 3, 4]) store.append(record(at));
    await store.flush();
    expect(await store.purge(3)).toBe(2);
    expect(await times()).toEqual([4, 3]);
    expect(await store.purge(3)).toBe(0);
  });
});

describe('a disk that fails', () => {
  it('is told of, and what waits is written when it works again', async () => {
    store.append(record(0));
    await store.flush();
    const blocker = new DatabaseSync(file);
    blocker.exec('alter table calls rename to away');
    store.append(record(1));
    await store.flush();
    expect(errors).toHaveLength(1);
    for (let at = 2; at < 602; at++) store.append(record(at));
    await new Promise((done) => setTimeout(done, 700));
    expect(errors).toHaveLength(1);
    blocker.exec('alter table away rename to calls');
    const count = (): unknown => blocker.prepare('select count(*) as n from calls').get()!['n'];
    await expect.poll(count, { timeout: 6_000 }).toBe(602);
    blocker.close();
    expect(errors).toHaveLength(1);
  });

  it('does not fail for ever over a record that was written although it seemed not to be', async () => {
    store.append(record(1));
    await store.flush();
    store.append(record(1));
    store.append(record(2));
    expect(await times()).toEqual([2, 1]);
    expect(errors).toEqual([]);
  });
});

describe('the thread', () => {
  it('is another after it broke, and what it had not written is given to that', async () => {
    const breaks = new URL('data:text/javascript,throw new Error("no memory")');
    const broken = createActivityThread(file, { program: breaks });
    const sound = createActivityThread(file);
    let thread = broken;
    const other = await openActivityStore(file, (error) => errors.push(error), {
      ask: (order) => thread.ask(order),
      close: () => thread.close(),
    });
    other.append(record(1));
    await other.flush();
    expect(errors.map(String)).toEqual(["Error: the activity record's thread broke: no memory"]);
    await expect(other.query({ limit: 1 })).rejects.toThrow('no memory');
    thread = sound;
    other.append(record(2));
    await other.flush();
    expect(await times()).toEqual([2, 1]);
    await other.close();
  });

  it('ends when there is nothing to do, and starts with what there is next', async () => {
    const alone = `${file}.alone`;
    const thread = createActivityThread(alone, { idleMs: 20 });
    for (let at = 1; at <= 3; at++) {
      await thread.ask({ method: 'write', argument: JSON.stringify([record(at)]) });
      // SQLite takes its log away when the last connection is closed.
      await expect.poll(() => existsSync(`${alone}-wal`), { timeout: 5_000 }).toBe(false);
    }
    const rows = (await thread.ask({ method: 'query', argument: { limit: 9 } })) as CallRecord[];
    expect(rows.map(({ startedAt }) => startedAt)).toEqual([3, 2, 1]);
    await thread.close();
    await expect(thread.ask({ method: 'purge', argument: 9 })).rejects.toThrow('closed');
  });
});

it('two stores on one file, as the gateway and its command line, do not disturb each other', async () => {
  const other = await open();
  for (let at = 0; at < 50; at++) (at % 2 === 0 ? store : other).append(record(at));
  await store.flush();
  await other.flush();
  expect(await times()).toHaveLength(50);
  expect(errors).toEqual([]);
  await other.close();
});
