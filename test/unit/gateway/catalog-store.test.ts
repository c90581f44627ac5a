import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { KnownServer } from '../../../gateway/registry/entry.ts';
import { fingerprint } from '../../../gateway/registry/fingerprint.ts';
import { openCatalogStore } from '../../../gateway/storage/file-catalog-store.ts';
import { parsed } from './support.ts';

const KNOWN: KnownServer = {
  serverInfo: { name: 's', version: '1' },
  protocolVersion: '2025-11-25',
  declared: { tools: {} },
  listedAt: 1_700_000_000_000,
  capabilities: {
    tools: [{ zeta: 1, name: 'add', inputSchema: { type: 'object' }, 'x-unknown': [null] }],
    resources: [],
    templates: [],
    prompts: [],
  },
};

let folder: string;
let problems: string[];
const onProblem = (problem: string): void => void problems.push(problem);

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'toolgate-store-')), 'catalog');
  problems = [];
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

describe('the catalog store', () => {
  it('gives back what a server listed, unknown fields and their order included', async () => {
    const store = await openCatalogStore(folder, onProblem);
    expect(store.find('g:s', 'f')).toBeUndefined();
    store.keep('g:s', 'f', KNOWN);
    await store.close();
    const found = (await openCatalogStore(folder, onProblem)).find('g:s', 'f');
    expect(JSON.stringify(found)).toBe(JSON.stringify(KNOWN));
    expect(problems).toEqual([]);
  });

  it('knows a server by its id and its fingerprint together', async () => {
    const store = await openCatalogStore(folder, onProblem);
    store.keep('g:s', 'f', KNOWN);
    await store.close();
    expect(store.find('g:s', 'other')).toBeUndefined();
    expect(store.find('g:t', 'f')).toBeUndefined();
  });

  it('does without a file that is damaged or was put in another’s place, and says so', async () => {
    const store = await openCatalogStore(folder, onProblem);
    store.keep('g:s', 'f', KNOWN);
    await store.close();
    const [name] = await readdir(folder);
    const file = join(folder, name!);
    const text = (more: object): string =>
      JSON.stringify({ version: 1, server: 'g:s', fingerprint: 'f', known: KNOWN, ...more });
    for (const damage of [
      '',
      '{',
      'null',
      text({ version: 2 }),
      text({ server: 'g:t' }),
      text({ known: {} }),
    ]) {
      await writeFile(file, damage);
      expect(store.find('g:s', 'f'), damage).toBeUndefined();
      expect(problems.splice(0)).toEqual([expect.stringContaining('g:s will be listed anew')]);
    }
  });

  it('keeps no server that lists too much, nor what was kept of it before', async () => {
    const store = await openCatalogStore(folder, onProblem, { fileBytes: 1_000, files: 10 });
    store.keep('g:s', 'f', KNOWN);
    await store.close();
    store.keep('g:s', 'f', { ...KNOWN, instructions: 'x'.repeat(1_000) });
    await store.close();
    expect(problems).toEqual([expect.stringContaining('over 1000 bytes')]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('drops the files that were written longest ago, and leftovers', async () => {
    const store = await openCatalogStore(folder, onProblem);
    for (const id of ['g:old', 'g:new', 'g:newer']) store.keep(id, 'f', KNOWN);
    await store.close();
    const before = await readdir(folder);
    const keep = (id: string): boolean => store.find(id, 'f') !== undefined;
    await writeFile(join(folder, '.x.json.1.new'), '');
    for (const name of ['.x.json.1.new', ...before]) await utimes(join(folder, name), 1, 1);
    for (const id of ['g:new', 'g:newer']) store.keep(id, 'f', KNOWN);
    await store.close();
    await openCatalogStore(folder, onProblem, { fileBytes: 10_000, files: 2 });
    expect(['g:old', 'g:new', 'g:newer'].map(keep)).toEqual([false, true, true]);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it('goes on without a disk', async () => {
    await writeFile(folder, 'in the way');
    const store = await openCatalogStore(folder, onProblem);
    store.keep('g:s', 'f', KNOWN);
    await store.close();
    expect(store.find('g:s', 'f')).toBeUndefined();
    expect(problems).toHaveLength(3);
  });
});

describe('the fingerprint of a registration', () => {
  const of = (server: string): string =>
    fingerprint(
      parsed(`{ version: 1, groups: [{ name: g, servers: [{ name: s, ${server} }] }] }`).groups[0]!
        .servers[0]!,
    );
  const base = of('command: a, args: [b], env: { KEY: "1", OTHER: "2" }');

  it('is of the launch and the names of its environment, not of their values nor of policy', () => {
    expect(of('command: a, args: [b], env: { OTHER: "3", KEY: "4" }, tags: [x], unlistedTools: deny')).toBe(
      base,
    );
  });

  it.each([
    'command: c, args: [b], env: { KEY: "1", OTHER: "2" }',
    'command: a, args: [c], env: { KEY: "1", OTHER: "2" }',
    'command: a, args: [b], env: { KEY: "1" }',
    'command: a, args: [b], env: { KEY: "1", OTHER: "2" }, cwd: elsewhere',
    'command: a, args: [b], env: { KEY: "1", OTHER: "2" }, url: "https://example.com/mcp"',
  ])('differs for %s', (server) => {
    expect(of(server)).not.toBe(base);
  });
});
