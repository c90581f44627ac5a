import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAgentClient, gather } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P62 P63 The 5 MB aggregation: what is too large does not come through as it is. */
let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  const over = (how: string): string =>
    `, tools: [{ match: runAggregation, result: { maxBytes: 64kB, maxItems: 100, over: ${how} } }]`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - ${database.entry('blocks', over('block'))}
      - ${database.entry('cuts', over('truncate'))}
      - ${database.entry('pages', ', tools: [{ match: runAggregation, result: { maxBytes: 64kB, over: page } }]')}
      - ${database.entry('takes', ', tools: [{ match: "*", arguments: { maxBytes: 1kB, maxDepth: 3, maxItems: 4 } }]')}
      - ${database.entry('tokens')}
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  bounds:
    - { name: few-tokens, when: { servers: ["g:tokens"] }, result: { maxTokens: 500, over: truncate } }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});
beforeEach(() => database.clear());

const call = (server: string, args: object, who = 'ann'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server: `g:${server}`, tool: 'runAggregation', arguments: args });
interface Result {
  readonly content: { text: string }[];
  readonly structuredContent?: { rows: { id: number }[] };
  readonly _meta?: Record<string, unknown>;
  readonly isError?: boolean;
}
const resultOf = ({ body }: ApiAnswer): Result => body['result'] as Result;
const FIVE_MB = 50_000;

describe('a result over its bounds', () => {
  it('is not let through where it is blocked, and says what to do', async () => {
    const refused = await call('blocks', { rows: FIVE_MB });
    expect([refused.status, refused.body['rule']]).toEqual([
      413,
      'groups[0].servers[0].tools[0].result.maxBytes',
    ]);
    expect(String(refused.body['detail'])).toMatch(
      /the result is \d+\.\d MB, over the 64\.0 kB of maxBytes.*ask for less/,
    );
    expect((await call('blocks', { rows: 50 })).status).toBe(200);
  });

  it('is cut within its bounds, still JSON, with words that a model understands', async () => {
    const { content, structuredContent, _meta: meta } = resultOf(await call('cuts', { rows: FIVE_MB }));
    const rows = JSON.parse(content[0]?.text ?? '') as { id: number }[];
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
    expect(structuredContent?.rows).toHaveLength(100);
    expect(content.at(-1)?.text).toMatch(/^\[Cut by Toolgate: .*ask for less at a time/);
    expect(JSON.stringify(content).length).toBeLessThan(64_000);
    expect(meta?.['toolgate/bounds']).toMatchObject({ cut: true });
    const few = resultOf(await call('cuts', { rows: 101 }));
    expect(few.structuredContent?.rows).toHaveLength(100);
    const fits = resultOf(await call('cuts', { rows: 100 }));
    expect([fits.structuredContent?.rows.length, fits._meta]).toEqual([100, undefined]);
    const tokens = resultOf(await call('tokens', { rows: 300 }));
    expect(JSON.stringify(tokens).length).toBeLessThanOrEqual(2_000);
  });

  it('is read page by page by whoever called, by every way, and by nobody else', async () => {
    const first = resultOf(await call('pages', { rows: 2_000 }));
    const said = first.content.at(-1)?.text ?? '';
    const reference = /"reference":"(res_[0-9a-f]+)"/.exec(said)?.[1] ?? '';
    expect(said).toMatch(/^\[Page 1 of \d+ .*toolgate__read_result/);
    const pages = Number(/of (\d+)/.exec(said)?.[1]);
    const ann = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    const read = async (page: number, who = ann): Promise<Result | undefined> => {
      const params = { name: 'toolgate__read_result', arguments: { reference, page } };
      return (await askModern(who, '/mcp/g', 'tools/call', params)).result as Result | undefined;
    };
    let text = first.content[0]?.text ?? '';
    for (let page = 2; page <= pages; page++) text += (await read(page))?.content[0]?.text ?? '';
    expect((JSON.parse(text) as unknown[]).length).toBe(2_000);
    expect(await read(pages + 1)).toMatchObject({ isError: true });
    expect(await read(1, { ...ann, token: people.tokens['ben'] ?? '' })).toBeUndefined();
    expect(database.seen).toHaveLength(1);
    const { body } = await people.api('owner', 'GET', '/activity?limit=2');
    expect((body['calls'] as { name: string }[]).map(({ name }) => name)).toEqual([
      'runAggregation',
      'runAggregation',
    ]);
    const listed = await askModern(ann, '/mcp/g/pages', 'tools/list');
    expect(JSON.stringify(listed.result)).toContain('toolgate__read_result');
  });

  it("is read on by an agent's model", async () => {
    wire.otherwise((request) => {
      const last = JSON.stringify(request.body.messages?.at(-1)?.content ?? '');
      const reference = /(res_[0-9a-f]+)/.exec(last)?.[1];
      if (reference === undefined) return says('read');
      const next = /page\\*":(\d+)/.exec(last)?.[1];
      const args = JSON.stringify({ reference, page: Number(next) });
      return next === undefined || Number(next) > 3
        ? says('read')
        : calls([{ id: `c${next}`, name: 'toolgate__read_result', arguments: args }]);
    });
    wire.reply(calls([{ id: 'c1', name: 'pages__runAggregation', arguments: '{"rows":3000}' }]));
    const agent = createAgentClient(gateway.address, people.tokens['ann'] ?? '');
    const told = gather(
      await agent.all({
        model: 'wire/big',
        messages: [{ role: 'user', content: 'all rows' }],
        mcp_servers: [{ integration_fqn: 'g:pages' }],
      }),
    );
    expect(told.results.map(({ isError }) => isError)).toEqual([false, false, false]);
    expect(told.results[2]?.content).toMatch(/Page 3 of/);
    expect(database.seen).toHaveLength(1);
  });
});

describe('arguments over their bounds', () => {
  it.each([
    ['maxBytes', { database: 'x'.repeat(2_000) }],
    ['maxDepth', { deep: { deeper: { deepest: [1] } } }],
    ['maxItems', { list: [1, 2, 3, 4, 5] }],
  ])('are refused by %s before the server is asked', async (bound, args) => {
    const refused = await call('takes', args);
    expect([refused.status, refused.body['rule']]).toEqual([
      413,
      `groups[0].servers[3].tools[0].arguments.${bound}`,
    ]);
    expect(database.seen).toEqual([]);
  });
});
