import { describe, expect, it } from 'vitest';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

const CONFIG = configOf({ dev: { a: '', b: '' }, prod: { a: ', tools: [{ match: x, effect: deny }]' } });
const starting = { status: { state: 'starting' as const } };

/** Whether a promise has been kept by now. */
async function settledYet(promise: Promise<unknown>): Promise<boolean> {
  const late = Symbol('late');
  const winner = await Promise.race([promise, new Promise((done) => setTimeout(() => done(late), 20))]);
  return winner !== late;
}

describe('P80 P81 P82 the catalog', () => {
  it('shows a principal the servers it may see, in the configuration’s order, and no others', () => {
    const { catalog } = catalogOf(CONFIG, {});
    const seen = (groups: string[] | null): string[] =>
      catalog.servers(principalOf(groups)).map(({ fqn }) => fqn);
    expect(seen(null)).toEqual(['t:dev:a', 't:dev:b', 't:prod:a']);
    expect(seen(['dev'])).toEqual(['t:dev:a', 't:dev:b']);
    expect(seen([])).toEqual([]);
  });

  it('finds a server by any of its names, and a bare name only where the caller sees one such', () => {
    const { catalog } = catalogOf(CONFIG, {});
    const find = (name: string, groups: string[] | null = null): string | undefined =>
      catalog.server(principalOf(groups), name)?.id;
    for (const name of ['t:prod:a', 'alias:prod:a', 'prod:a']) expect(find(name)).toBe('prod:a');
    expect(find('b')).toBe('dev:b');
    expect(find('a')).toBeUndefined();
    expect(find('a', ['prod'])).toBe('prod:a');
    expect(find('prod:a', ['dev'])).toBeUndefined();
  });

  it('lists of a server the tools the caller may use, exactly as the server listed them', () => {
    const odd = tool('y', { 'x-odd': { deep: [null] } });
    const { catalog } = catalogOf(CONFIG, { 'prod:a': { tools: [tool('x'), odd] } });
    expect(catalog.tools(principalOf(), catalog.entry('prod:a')!)).toEqual([odd]);
  });

  it('P184 rises in revision with every change, and tells who listens, until they stop', () => {
    const { catalog, change } = catalogOf(CONFIG, {});
    const heard: number[] = [];
    const stop = catalog.onChange((revision) => heard.push(revision));
    const before = catalog.revision();
    change('dev:a', { tools: [tool('new')] });
    expect(catalog.entry('dev:a')!.capabilities.tools).toEqual([tool('new')]);
    stop();
    change('dev:a', {});
    expect(heard).toEqual([before + 1]);
    expect(catalog.revision()).toBe(before + 2);
  });
});

describe('waiting for the first start', () => {
  it('is for the servers that are meant, until each has succeeded or failed', async () => {
    const { catalog, change } = catalogOf(CONFIG, { 'dev:a': starting, 'dev:b': starting });
    expect(await settledYet(catalog.settled(['prod:a']))).toBe(true);
    const all = catalog.settled();
    const one = catalog.settled(['dev:a']);
    change('dev:a', { status: { state: 'failed', lastError: 'no' } });
    expect(await settledYet(one)).toBe(true);
    expect(await settledYet(all)).toBe(false);
    change('dev:b', {});
    expect(await settledYet(all)).toBe(true);
  });

  it('is not for a server that failed and starts again', async () => {
    const { catalog } = catalogOf(CONFIG, {
      'dev:a': { status: { state: 'starting', lastError: 'crashed' } },
    });
    expect(await settledYet(catalog.settled())).toBe(true);
  });
});
