import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { searchResponseSchema, type SearchResponse } from '../../gateway/contract/search.ts';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

let gateway: RunningGateway;
let narrow: string;

beforeAll(async () => {
  const rules = ', tags: [maths], tools: [{ match: divide, effect: deny }]';
  gateway = await startGateway({
    config: configOf({ common: [CALCULATOR(await freePort(), rules)], secret: [EVERYTHING] }),
  });
  const { configFile, dataDir } = gateway;
  const create = ['token', 'create', '--config', configFile, '--data', dataDir];
  const { stdout } = await toolgate([...create, '--name', 'narrow', '--group', 'common', '--json']);
  narrow = (JSON.parse(stdout) as { token: string }).token;
});
afterAll(async () => {
  await gateway.stop();
});

function get(query: string, token = gateway.token): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/search?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

async function find(query: string, token?: string): Promise<SearchResponse> {
  const answer = await get(new URLSearchParams({ q: query, limit: '100' }).toString(), token);
  expect(answer.status).toBe(200);
  return searchResponseSchema.parse(await answer.json());
}

describe('P178 GET /api/v1/search', () => {
  it('finds tools, resources and prompts, the best first', async () => {
    expect((await find('multiply numbers')).hits[0]).toMatchObject({
      kind: 'tool',
      server: 'toolgate:common:calculator-mcp',
      state: 'ready',
      name: 'multiply',
    });
    const { hits } = await find('everything');
    expect(new Set(hits.map(({ kind }) => kind))).toEqual(new Set(['tool', 'resource', 'prompt']));
    expect((await find('maths')).hits.map(({ name }) => name)).toContain('add');
  });

  it('finds nothing hidden, not even by counts', async () => {
    expect(await find('divide')).toEqual({ total: 0, hits: [] });
    expect((await find('echo')).total).toBeGreaterThan(0);
    expect(await find('echo', narrow)).toEqual({ total: 0, hits: [] });
    const mine = await find('mcp', narrow);
    expect(mine.total).toBe(mine.hits.length);
    expect(new Set(mine.hits.map(({ server }) => server))).toEqual(
      new Set(['toolgate:common:calculator-mcp']),
    );
  });

  it('says what is wrong with a question, and asks for a token', async () => {
    for (const query of [
      '',
      'q=',
      'q=%20',
      `q=${'x'.repeat(201)}`,
      'q=a&q=b',
      'q=a&limit=0',
      'q=a&limit=101',
    ]) {
      const answer = await get(query);
      expect(answer.status, query).toBe(400);
      expect(await answer.json(), query).toMatchObject({ field: expect.stringMatching(/^(q|limit)$/) });
    }
    expect((await get('q=add', 'none')).status).toBe(401);
    expect(await (await get('q=add&limit=1')).json()).toMatchObject({ hits: [{ name: 'add' }] });
  });
});

describe('toolgate search', () => {
  const search = (...args: string[]): ReturnType<typeof toolgate> =>
    toolgate(['search', ...args, '--gateway', gateway.address], { TOOLGATE_TOKEN: gateway.token });

  it('prints a table, or the answer as JSON', async () => {
    const { stdout, code } = await search('multiply', 'two', 'numbers', '--limit', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^kind +server +name +description\ntool +toolgate:common:calculator-mcp +multiply /,
    );
    const json = JSON.parse((await search('multiply', '--json')).stdout) as unknown;
    expect(searchResponseSchema.parse(json)).toEqual(await find('multiply'));
  });

  it('says when nothing fits, and passes on what the gateway says', async () => {
    expect(await search('weather')).toMatchObject({
      code: 0,
      stdout: 'Nothing fits "weather" among what this token may use.\n',
    });
    expect(await search('add', '--limit', '0')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('limit'),
    });
    expect((await search()).code).toBe(2);
  });
});
