import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecide } from '../../../gateway/access/decide.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import type { CallRecord } from '../../../gateway/contract/activity.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Principal } from '../../../gateway/identity/principal.ts';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';
import { newFacts, type Outcome } from '../../../gateway/pipeline/call.ts';
import { createPipeline } from '../../../gateway/pipeline/pipeline.ts';
import { decideStage, recordStage, upstreamStage, validateStage } from '../../../gateway/pipeline/stages.ts';
import { registryView } from '../../../gateway/registry/view.ts';
import type { ActivityStore } from '../../../gateway/storage/contracts.ts';
import { catalogOf, parsed, principalOf, tool, type Offer } from './support.ts';

/** A configuration of the virtual server `team:v`, made of servers of the group `prod`. */
const textOf = (virtual: readonly object[], more: { v?: object; a?: object; b?: object } = {}): string =>
  JSON.stringify({
    version: 1,
    tenant: { name: 't' },
    groups: [
      {
        name: 'prod',
        servers: [
          { name: 'a', command: 'x', ...more.a },
          { name: 'b', command: 'x', ...more.b },
        ],
      },
      { name: 'team', servers: [{ name: 'v', virtual, ...more.v }] },
    ],
  });

const READ = { annotations: { readOnlyHint: true } };
const OFFERS: Record<string, Offer> = {
  'prod:a': { tools: [tool('list', READ), tool('search', READ), tool('drop')] },
  'prod:b': { tools: [tool('search'), tool('sum', READ)] },
};

function world(
  virtual: readonly object[],
  more: Parameters<typeof textOf>[1] = {},
  offers: Record<string, Offer> = OFFERS,
) {
  const config = parsed(textOf(virtual, more));
  const reached: string[] = [];
  const answering = Object.fromEntries(
    Object.entries(offers).map(([id, offer]) => [
      id,
      {
        ...offer,
        status: { listedAt: 1, ...offer.status },
        answer: (_method: string, { name, arguments: sent }: JsonObject) => {
          reached.push(`${id} ${String(name)} ${JSON.stringify(sent)}`);
          return Promise.resolve({ content: [] });
        },
      },
    ]),
  );
  const { catalog, decide, upstreams, change } = catalogOf(config, answering);
  const records: CallRecord[] = [];
  const pipeline = createPipeline(
    [
      recordStage({ append: (one) => void records.push(one) } as ActivityStore, catalog, () => 1),
      decideStage(decide, catalog, Date.now),
      validateStage(createArgumentValidator(), catalog),
      upstreamStage(upstreams, catalog),
    ],
    (error) => {
      throw error;
    },
  );
  const call = (name: string, args: JsonObject = {}, principal = principalOf(['team'])): Promise<Outcome> =>
    pipeline.run({
      traceId: '0'.repeat(32),
      source: 'mcp',
      principal,
      target: { serverId: 'team:v', kind: 'tool', name },
      params: { name, arguments: args },
      signal: new AbortController().signal,
      facts: newFacts(null),
    });
  const listed = (principal: Principal = principalOf(['team'])): string[] =>
    catalog.tools(principal, catalog.entry('team:v')!).map(({ name }) => name);
  const view = () =>
    registryView(principalOf(), catalog, config, createDecide(config), '1').groups.find(
      ({ name }) => name === 'team',
    )!.servers[0]!;
  return { catalog, reached, records, call, listed, view, change };
}

describe('a virtual server', () => {
  it('offers the tools it was made of, by name, glob and selector, to those who reach its own group', async () => {
    const { listed, call, reached, catalog } = world([
      { server: 'prod:a', tools: ['li*', 'drop'] },
      { server: 'prod:b', tools: ['@read-only'] },
    ]);
    expect(listed()).toEqual(['list', 'drop', 'sum']);
    expect(catalog.servers(principalOf(['team'])).map(({ id }) => id)).toEqual(['team:v']);
    expect(await call('list', { x: 1 })).toMatchObject({ ok: true });
    expect(await call('sum')).toMatchObject({ ok: true });
    expect(reached).toEqual(['prod:a list {"x":1}', 'prod:b sum {}']);
    expect(await call('search')).toMatchObject({ refusal: { reason: 'not-found' } });
    expect(await call('list', {}, principalOf(['prod']))).toMatchObject({ refusal: { reason: 'not-found' } });
    expect(reached).toHaveLength(2);
  });

  it('gives no tool that the rules of its server deny, nor those its own rules deny', async () => {
    const { listed, call, reached } = world([{ server: 'prod:a', tools: ['*'] }], {
      a: { tools: [{ match: 'drop', effect: 'deny' }] },
      v: { tools: [{ match: 'search', effect: 'deny' }] },
    });
    expect(listed()).toEqual(['list']);
    for (const name of ['drop', 'search'])
      expect(await call(name)).toMatchObject({ refusal: { reason: 'not-found' } });
    expect(reached).toEqual([]);
    const strict = world([{ server: 'prod:a', tools: ['*'] }], {
      a: { unlistedTools: 'deny', tools: [{ match: 'list', effect: 'allow' }] },
    });
    expect(strict.listed()).toEqual(['list']);
  });

  it('shows and calls tools as both servers’ overrides have it, the member’s first', async () => {
    const { listed, call, reached } = world(
      [{ server: 'prod:a', tools: ['find'], rename: { find: 'seek' } }],
      {
        a: { tools: [{ match: 'search', rename: 'find', fixed: { tenant: 'acme' } }] },
        v: { tools: [{ match: 'seek', defaults: { limit: 5 }, description: 'Seeks' }] },
      },
    );
    expect(listed()).toEqual(['seek']);
    await call('seek', { q: 'x' });
    expect(reached).toEqual(['prod:a search {"limit":5,"q":"x","tenant":"acme"}']);
    expect(await call('seek', { tenant: 'other' })).toMatchObject({
      refusal: { reason: 'invalid-arguments', message: expect.stringContaining('"tenant"') },
    });
  });

  it('is recorded with its own name and that of the server behind it', async () => {
    const { call, records } = world([{ server: 'prod:b', tools: ['sum'], rename: { sum: 'add' } }]);
    await call('add');
    await call('other');
    expect(records).toMatchObject([
      { server: 't:team:v', upstream: 't:prod:b', name: 'add', outcome: 'ok' },
      { server: 't:team:v', upstream: null, name: 'other', outcome: 'not-found' },
    ]);
  });

  it('leaves out tools of one name that only patterns find, and says so', () => {
    const { listed, view } = world([
      { server: 'prod:a', tools: ['*'] },
      { server: 'prod:b', tools: ['*'] },
    ]);
    expect(listed()).toEqual(['list', 'drop', 'sum']);
    expect(view().warnings).toEqual([
      '"search" is a tool of prod:a and prod:b: all are left out; give them names of their own with rename',
    ]);
  });

  it('keeps the tool that is named outright when another server offers one of that name', async () => {
    const { call, reached, view } = world([
      { server: 'prod:a', tools: ['@all'] },
      { server: 'prod:b', tools: ['search'] },
    ]);
    await call('search');
    expect(reached).toEqual(['prod:b search {}']);
    expect(view().warnings).toEqual([expect.stringContaining('that of prod:b has it')]);
  });

  it('is as well as the servers it is made of, which it does not name', () => {
    const made = world([
      { server: 'prod:a', tools: ['list', 'gone'] },
      { server: 'prod:b', tools: ['sum'] },
    ]);
    expect(made.view()).toMatchObject({
      state: 'ready',
      transport: 'virtual',
      warnings: ['"gone" is picked from prod:a, which has no such tool'],
    });
    made.change('prod:b', { status: { state: 'failed', lastError: 'secret.internal is away' } });
    expect(made.view()).toMatchObject({
      state: 'degraded',
      lastError: '1 of the 2 servers it is made of are not available',
    });
    made.change('prod:a', { status: { state: 'failed' } });
    expect(made.view().state).toBe('failed');
  });

  it('has nothing while it is disabled', async () => {
    const { listed, call } = world([{ server: 'prod:a', tools: ['list'] }], { v: { disabled: true } });
    expect(listed()).toEqual([]);
    expect((await call('list')).ok).toBe(false);
  });
});

const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 });
const picked = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '*', '@read-only', 'a*'), {
  minLength: 1,
  maxLength: 3,
});
const renames = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y', 'c'), { maxKeys: 2 });

it('whatever is picked, what a virtual server lists can be called and nothing else, at the server that has it', async () => {
  await fc.assert(
    fc.asyncProperty(names, names, picked, picked, renames, async (inA, inB, fromA, fromB, rename) => {
      const virtual = [
        { server: 'prod:a', tools: fromA, rename },
        { server: 'prod:b', tools: fromB },
      ];
      const more = { b: { tools: [{ match: 'd', effect: 'deny' }] } };
      fc.pre(parseConfig(textOf(virtual, more)).ok);
      const of = (id: string, all: readonly string[]): Offer => ({
        tools: all.map((name) => tool(name, { description: `${id} ${name}`, ...READ })),
      });
      const { catalog, call, reached } = world(virtual, more, {
        'prod:a': of('prod:a', inA),
        'prod:b': of('prod:b', inB),
      });
      const shown = catalog.tools(principalOf(['team']), catalog.entry('team:v')!);
      for (const name of ['a', 'b', 'c', 'd', 'x', 'y']) {
        const item = shown.find((one) => one.name === name);
        expect((await call(name)).ok).toBe(item !== undefined);
        if (item !== undefined) expect(reached.at(-1)).toBe(`${String(item['description'])} {}`);
      }
      expect(reached).toHaveLength(shown.length);
      expect(reached).not.toContain('prod:b d {}');
    }),
    { numRuns: 80 },
  );
});

describe('the configuration of virtual servers', () => {
  const A = { server: 'prod:a', tools: ['search'] };
  it.each([
    ['an unknown server', [{ ...A, server: 'prod:aa' }], '[0].server', 'did you mean "prod:a"?'],
    ['itself', [{ ...A, server: 'team:v' }], '[0].server', 'is virtual itself'],
    ['nothing', [], '', 'at least'],
    ['no tools', [{ server: 'prod:a', tools: [] }], '[0].tools', 'at least'],
    ['a rename of what is not picked', [{ ...A, rename: { drop: 'x' } }], '[0].rename.drop', 'not among'],
    [
      'two tools of one name',
      [A, { server: 'prod:b', tools: ['sum', 'search'] }],
      '[1].tools[1]',
      '"search" of prod:b has the name of "search" of prod:a; give it another, for instance rename: { search: search_2 }',
    ],
    [
      'a rename to a name that is taken',
      [A, { server: 'prod:b', tools: ['sum'], rename: { sum: 'search' } }],
      '[1].rename.sum',
      'has the name of "search" of prod:a',
    ],
  ])('refuses %s, and says where', (_what, virtual, path, words) => {
    const result = parseConfig(textOf(virtual));
    expect(result.ok ? [] : result.issues).toMatchObject([
      { path: `groups[1].servers[0].virtual${path}`, message: expect.stringContaining(words) },
    ]);
  });

  it('takes a virtual server in place of a url or a command, not beside one', () => {
    const result = parseConfig(textOf([A], { v: { url: 'https://a.example' } }));
    expect(result.ok ? [] : result.issues).toMatchObject([{ path: 'groups[1].servers[0].virtual' }]);
  });
});
