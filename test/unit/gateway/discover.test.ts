import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { discover, NOTHING } from '../../../gateway/upstream/discover.ts';
import { JsonRpcError } from '../../../gateway/upstream/errors.ts';
import { tool } from './support.ts';

type Lists = Record<string, (params: JsonObject) => JsonObject>;

/** A server that declares all and answers these lists; the rest are empty. */
function serverOf(
  lists: Lists,
  declared: JsonObject = { tools: {}, resources: {}, prompts: {} },
): {
  readonly connection: Connection;
  readonly asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    connection: {
      era: 'legacy',
      handshake: {
        protocolVersion: '2025-11-25',
        serverInfo: { name: 's', version: '1' },
        capabilities: declared,
      },
      request: (method, params) => {
        asked.push(method);
        return Promise.resolve().then(() => lists[method]?.(params) ?? {});
      },
      notify: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
  };
}

const signal = new AbortController().signal;
const fail = (): never => {
  throw new JsonRpcError(-32603, 'the database is away');
};

describe('what a server offers', () => {
  it('P17 P18 P19 is listed whole, through every page, with fields nobody knows', async () => {
    const { connection } = serverOf({
      'tools/list': ({ cursor }) =>
        cursor === undefined
          ? { tools: [tool('a', { 'x-unknown': [1] })], nextCursor: 'two' }
          : cursor === 'two'
            ? { tools: [tool('b')], nextCursor: '' }
            : { tools: [tool('c')] },
      'resources/list': () => ({ resources: [{ name: 'r', uri: 'file:///r' }] }),
      'resources/templates/list': () => ({ resourceTemplates: [{ name: 't', uriTemplate: 'file:///{x}' }] }),
      'prompts/list': () => ({ prompts: [{ name: 'p' }] }),
    });
    const { capabilities, problems } = await discover(connection, signal);
    expect(problems).toEqual([]);
    expect(capabilities.tools.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(capabilities.tools[0]).toEqual(tool('a', { 'x-unknown': [1] }));
    expect(capabilities).toMatchObject({
      resources: [{ name: 'r' }],
      templates: [{ name: 't' }],
      prompts: [{ name: 'p' }],
    });
  });

  it('is asked for only as far as it is declared', async () => {
    const { connection, asked } = serverOf({}, { tools: {} });
    await discover(connection, signal);
    expect(asked).toEqual(['tools/list']);
  });

  it('that pages in a circle is a problem, not an endless loop', async () => {
    const { connection, asked } = serverOf({ 'tools/list': () => ({ tools: [], nextCursor: 'again' }) });
    const { problems } = await discover(connection, signal);
    expect(problems).toEqual(['tools/list failed: the server repeated a cursor']);
    expect(asked.filter((method) => method === 'tools/list')).toHaveLength(2);
  });

  it('in more pages or items than anyone can use is cut off', async () => {
    let page = 0;
    const endless = serverOf({ 'tools/list': () => ({ tools: [], nextCursor: String(page++) }) });
    expect((await discover(endless.connection, signal)).problems).toEqual([
      'tools/list failed: over 1000 pages',
    ]);
    const huge = serverOf({
      'tools/list': () => ({ tools: Array.from({ length: 10_001 }, (_, at) => tool(`t${at}`)) }),
    });
    const { capabilities, problems } = await discover(huge.connection, signal);
    expect(problems).toEqual(['tools/list failed: over 10000 items']);
    expect(capabilities.tools).toEqual([]);
  });

  it('in a list that fails is a problem that leaves the others, and what was known, intact', async () => {
    const { connection } = serverOf({
      'tools/list': fail,
      'prompts/list': () => ({ prompts: [{ name: 'p' }] }),
    });
    const known = { ...NOTHING, tools: [tool('known')], prompts: [{ name: 'old' }] };
    const { capabilities, problems } = await discover(connection, signal, known);
    expect(problems).toEqual(['tools/list failed: the database is away']);
    expect(capabilities.tools.map(({ name }) => name)).toEqual(['known']);
    expect(capabilities.prompts.map(({ name }) => name)).toEqual(['p']);
  });

  it('needs no templates to have resources', async () => {
    const { connection } = serverOf({
      'resources/templates/list': fail,
      'resources/list': () => ({ resources: [{ name: 'r', uri: 'x:r' }] }),
    });
    const { capabilities, problems } = await discover(connection, signal);
    expect(problems).toEqual([]);
    expect(capabilities.resources).toHaveLength(1);
  });

  it('without a name or an address is left out, and so is a second of the same', async () => {
    const { connection } = serverOf({
      'tools/list': () => ({
        tools: [
          null,
          'text',
          [],
          {},
          { name: 1 },
          tool('a', { title: 'first' }),
          tool('a', { title: 'second' }),
        ],
      }),
      'resources/list': () => ({
        resources: [
          { name: 'no uri' },
          { name: 'r', uri: 'x:1' },
          { name: 'r', uri: 'x:2' },
          { name: 's', uri: 'x:1' },
        ],
      }),
      'prompts/list': () => ({ prompts: 'none' }),
    });
    const { capabilities, problems } = await discover(connection, signal);
    expect(problems).toEqual([]);
    expect(capabilities.tools).toEqual([tool('a', { title: 'first' })]);
    expect(capabilities.resources.map(({ uri }) => uri)).toEqual(['x:1', 'x:2']);
    expect(capabilities.prompts).toEqual([]);
  });
});
