import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigState, ConfigStore, TokenRecord } from '../../../gateway/storage/contracts.ts';
import { openConfigStore } from '../../../gateway/storage/lowdb-config-store.ts';

let file: string;
const stores: ConfigStore[] = [];

beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'toolgate-unit-')), 'data', 'config.json');
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

async function open(): Promise<ConfigStore> {
  const store = await openConfigStore(file);
  stores.push(store);
  return store;
}

const token = (id: string): TokenRecord => ({
  id,
  name: id,
  subject: 'user:owner',
  hash: '0'.repeat(64),
  administrator: false,
  kind: 'pat',
  scope: { groups: null, servers: null, tools: null, models: null },
  previous: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  expiresAt: null,
});
const add =
  (id: string) =>
  (state: ConfigState): ConfigState => ({ ...state, tokens: [...state.tokens, token(id)] });
const ids = (state: ConfigState): string[] => state.tokens.map(({ id }) => id);

describe('a configuration store', () => {
  it('begins empty, and gives back what was written, also after it was opened again', async () => {
    const store = await open();
    expect(store.current()).toEqual({ version: 1, tokens: [], pins: [], consents: [] });
    expect(ids(await store.update(add('a')))).toEqual(['a']);
    expect(ids(store.current())).toEqual(['a']);
    expect((await open()).current()).toEqual({ version: 1, tokens: [token('a')], pins: [], consents: [] });
  });

  it('has written an update when it resolves, privately, with the version before beside it', async () => {
    const store = await open();
    await store.update(add('a'));
    await store.update(add('b'));
    expect(ids(JSON.parse(await readFile(file, 'utf8')) as ConfigState)).toEqual(['a', 'b']);
    expect(ids(JSON.parse(await readFile(`${file}.bak`, 'utf8')) as ConfigState)).toEqual(['a']);
    for (const path of [file, `${file}.bak`]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(file, '..'))).sort()).toEqual(['config.json', 'config.json.bak']);
  });

  it('loses no update of several stores on one file', async () => {
    const [one, two] = [await open(), await open()];
    const wanted = Array.from({ length: 20 }, (_, at) => `t${at}`);
    await Promise.all(wanted.map((id, at) => (at % 2 === 0 ? one : two).update(add(id))));
    expect(ids((await open()).current()).sort()).toEqual(wanted.toSorted());
  });

  it('loses no update of several processes on one file', async () => {
    const store = await open();
    const module = new URL('../../../gateway/storage/lowdb-config-store.ts', import.meta.url).href;
    const script = (name: string): string => `
      const { openConfigStore } = await import(${JSON.stringify(module)});
      const store = await openConfigStore(${JSON.stringify(file)});
      const token = ${JSON.stringify(token('x'))};
      for (let at = 0; at < 10; at++)
        await store.update((state) => ({ ...state, tokens: [...state.tokens, { ...token, id: '${name}' + at }] }));
      await store.close();`;
    const run = promisify(execFile);
    await Promise.all([
      ...['p', 'q'].map((name) => run(process.execPath, ['--input-type=module', '-e', script(name)])),
      ...Array.from({ length: 10 }, (_, at) => store.update(add(`own${at}`))),
    ]);
    expect(new Set(ids((await open()).current())).size).toBe(30);
  });

  it('hears of every change, its own and another’s, and no more once it does not listen', async () => {
    const [one, two] = [await open(), await open()];
    const heard: string[][] = [];
    const stop = one.onChange((state) => heard.push(ids(state)));
    await one.update(add('own'));
    expect(heard).toEqual([['own']]);
    await two.update(add('theirs'));
    await expect.poll(() => heard).toEqual([['own'], ['own', 'theirs']]);
    expect(ids(one.current())).toEqual(['own', 'theirs']);
    stop();
    await two.update(add('more'));
    await expect.poll(() => ids(one.current())).toContain('more');
    expect(heard).toHaveLength(2);
  });

  it('takes in at once what another has written, when asked to', async () => {
    const [one, two] = [await open(), await open()];
    const heard: string[][] = [];
    one.onChange((state) => heard.push(ids(state)));
    await two.update(add('a'));
    one.catchUp();
    expect(ids(one.current())).toEqual(['a']);
    expect(heard).toEqual([['a']]);
    await writeFile(file, 'nonsense');
    one.catchUp();
    expect(ids(one.current())).toEqual(['a']);
    expect(heard).toHaveLength(1);
  });

  it('shows its own update at once, whatever others read and write meanwhile', async () => {
    const [one, two] = [await open(), await open()];
    for (let at = 0; at < 15; at++) {
      const other = two.update(add(`two${at}`));
      await one.update(add(`one${at}`));
      expect(ids(one.current())).toContain(`one${at}`);
      await other;
      expect(ids(two.current())).toContain(`two${at}`);
    }
    await expect.poll(() => ids(one.current()).length).toBe(30);
    await expect.poll(() => ids(two.current())).toEqual(ids(one.current()));
  });

  it('empties when its file is removed: that takes every token back', async () => {
    const store = await open();
    await store.update(add('a'));
    await rm(file);
    await expect.poll(() => ids(store.current())).toEqual([]);
  });
});

describe('a file that is damaged', () => {
  it.each([
    '',
    '{',
    '[]',
    '{"version":2,"tokens":[]}',
    '{"version":1,"tokens":[{}]}',
    '{"version":1,"tokens":[],"x":1}',
  ])('is an error that says what to do, and stays as it is: %j', async (text) => {
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, text);
    await expect(openConfigStore(file)).rejects.toThrow(
      /config\.json is damaged; restore it from config\.json\.bak/,
    );
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('under a running store keeps the last good state, and is not written over', async () => {
    const store = await open();
    await store.update(add('a'));
    await writeFile(file, 'nonsense');
    await expect(store.update(add('b'))).rejects.toThrow('is damaged');
    expect(ids(store.current())).toEqual(['a']);
    expect(await readFile(file, 'utf8')).toBe('nonsense');
  });
});

it('an update that cannot be written changes nothing, in memory either', async () => {
  const store = await open();
  await store.update(add('a'));
  const heard: unknown[] = [];
  store.onChange((state) => heard.push(state));
  // Where the new file would be written stands a folder.
  await mkdir(join(file, '..', `.config.json.${process.pid}.new`));
  await expect(store.update(add('b'))).rejects.toThrow();
  expect(ids(store.current())).toEqual(['a']);
  expect(heard).toEqual([]);
});

it('a lock that a dead process left is taken over', async () => {
  const store = await open();
  await mkdir(`${file}.lock`);
  const past = new Date(Date.now() - 60_000);
  await utimes(`${file}.lock`, past, past);
  expect(ids(await store.update(add('a')))).toEqual(['a']);
  expect(await readdir(join(file, '..'))).not.toContain('config.json.lock');
});

it('a change that throws is no change, and leaves the store usable', async () => {
  const store = await open();
  const refuse = (): never => {
    throw new Error('a name is taken');
  };
  await expect(store.update(refuse)).rejects.toThrow('a name is taken');
  expect(ids(await store.update(add('a')))).toEqual(['a']);
});
