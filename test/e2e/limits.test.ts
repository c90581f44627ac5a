import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { limitListSchema } from '../../gateway/contract/limits.ts';
import { createAgentClient, gather } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P66 P72 P73 P76 P142 One prompt bug does not become a thousand messages: the server counts what reaches it. */
let server: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  server = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
subjects:
  teams: [{ name: finance, members: ["user:fay", "user:finn"] }]
groups:
  - name: prod
    access: { use: [everyone] }
    servers:
      - ${server.entry('slack')}
      - ${server.entry('team')}
      - ${server.entry('watched')}
      - ${server.entry('busy')}
      - ${server.entry('feature')}
      - ${server.entry('twice')}
      - ${server.entry('asked')}
  - name: shared
    access: { use: [everyone] }
    servers: [{ name: virtual, virtual: [{ server: "prod:slack", tools: ["@all"] }] }]
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  rateLimits:
    - { name: slack-storm, when: { tools: ["prod:slack:deleteCollection"] }, limits: { calls: 5/hour }, per: [principal] }
    - { name: of-team, when: { servers: ["prod:team"] }, limits: { calls: 2/hour }, per: [team] }
    - { name: only-watched, when: { servers: ["prod:watched"] }, limits: { calls: 1/hour }, mode: audit }
    - { name: one-at-a-time, when: { servers: ["prod:busy"] }, limits: { concurrency: 1 } }
    - { name: one-asked, when: { servers: ["prod:asked"] }, limits: { concurrency: 1 } }
    - { name: by-feature, when: { servers: ["prod:feature"] }, limits: { calls: 1/hour }, per: [metadata.feature] }
    - { name: two-windows, when: { servers: ["prod:twice"] }, limits: { calls: [2/hour, 3/day] }, per: [principal] }
  approvals: [{ name: asked, when: { tools: ["prod:asked:deleteCollection"] }, approvers: ["user:ben"], wait: 20s }]
`,
  });
  people = await createPeople(gateway, ['ann', 'ben', 'cleo', 'dan', 'eve', 'fay', 'finn']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await server.close();
});
beforeEach(() => server.clear());

const call = (who: string, at: string, database = 'x', tool = 'deleteCollection'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server: at, tool, arguments: { database } });
const statuses = (answers: readonly ApiAnswer[]): number[] => answers.map(({ status }) => status);

async function connect(who: string, path: string): Promise<Client> {
  const client = new Client({ name: who, version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  return client;
}

describe('the Slack storm', () => {
  it('lets five of a thousand out, and tells the rest what to do', async () => {
    const client = await connect('ann', '/mcp/prod/slack');
    const send = (at: number) =>
      client.callTool({ name: 'deleteCollection', arguments: { database: String(at) } });
    const answers: Awaited<ReturnType<typeof send>>[] = [];
    for (let at = 0; at < 1_000; at += 100)
      answers.push(...(await Promise.all(Array.from({ length: 100 }, (_, more) => send(at + more)))));
    const refused = answers.filter(({ isError }) => isError === true);
    expect([answers.length - refused.length, server.seen.length]).toEqual([5, 5]);
    const { content, _meta: meta } = refused[0] as {
      content: { text: string }[];
      _meta: Record<string, unknown>;
    };
    expect(content[0]?.text).toMatch(
      /^slack-storm: at most 5 calls\/hour for user:ann; there is room again in .* do not repeat the call before$/,
    );
    for (const { _meta: told } of refused)
      expect(told?.['toolgate/refusal']).toMatchObject({
        ...{ reason: 'rate-limited', rule: 'slack-storm' },
        retryAfterMs: expect.any(Number) as number,
      });
    expect(meta['toolgate/refusal']).toBeDefined();
    await client.close();
  });

  it('counts the same by every other way: API, the modern era, a virtual server, an agent', async () => {
    const direct = await call('ann', 'prod:slack');
    expect(direct).toMatchObject({ status: 429, body: { rule: 'slack-storm' } });
    expect((await call('ann', 'shared:virtual')).status).toBe(429);
    const caller = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    const params = { name: 'deleteCollection', arguments: { database: 'm' } };
    const modern = await askModern(caller, '/mcp/prod/slack', 'tools/call', params);
    expect(modern.result).toMatchObject({
      isError: true,
      _meta: { 'toolgate/refusal': { rule: 'slack-storm' } },
    });
    wire.reply(calls([{ id: 'c', name: 'slack__deleteCollection', arguments: '{}' }]), says('I see.'));
    const agent = createAgentClient(gateway.address, people.tokens['ann'] ?? '');
    const events = await agent.all({
      model: 'wire/big',
      messages: [{ role: 'user', content: 'send' }],
      mcp_servers: [{ integration_fqn: 'prod:slack' }],
    });
    expect(gather(events)).toMatchObject({ text: 'I see.', results: [{ isError: true }] });
    expect(server.seen).toEqual([]);
  });

  it('says over HTTP when to come back', async () => {
    const response = await fetch(`${gateway.address}/api/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.tokens['ann'] ?? ''}`, 'content-type': 'application/json' },
      body: JSON.stringify({ server: 'prod:slack', tool: 'deleteCollection', arguments: {} }),
    });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(3_000);
  });

  it('stops nobody else, and no other tool', async () => {
    expect((await call('ben', 'prod:slack')).status).toBe(200);
    expect((await call('ann', 'prod:slack', 'x', 'listCollections')).status).toBe(200);
  });

  it('is on record', async () => {
    const { body } = await people.api('owner', 'GET', '/activity?limit=1000');
    const refused = (body['calls'] as { outcome: string; rule: string }[]).filter(
      ({ outcome, rule }) => outcome === 'rate-limited' && rule === 'slack-storm',
    );
    expect(refused.length).toBeGreaterThan(990);
  });

  it('lets five out of a thousand that come at once and by all ways together', async () => {
    const token = people.tokens['dan'] ?? '';
    const client = await connect('dan', '/mcp/prod/slack');
    const agent = createAgentClient(gateway.address, token);
    const caller = { address: gateway.address, token };
    let passed = 0;
    const count = (isOk: boolean): void => void (passed += isOk ? 1 : 0);
    wire.otherwise(({ body }) => {
      if (body.messages?.some(({ role }) => role === 'tool') === true) return says('I see.');
      const wanted = Array.from({ length: 25 }, (_, at) => ({
        id: `c${at}`,
        name: 'slack__deleteCollection',
        arguments: '{}',
      }));
      return calls(wanted, 100);
    });
    const params = { name: 'deleteCollection', arguments: {} };
    const ways: (() => Promise<void>)[] = [
      async () => count((await client.callTool(params)).isError !== true),
      async () => count((await call('dan', 'prod:slack')).status === 200),
      async () => count((await call('dan', 'shared:virtual')).status === 200),
      async () =>
        count(
          (await askModern(caller, '/mcp/prod/slack', 'tools/call', params)).result?.['isError'] !== true,
        ),
    ];
    const runs = Array.from({ length: 8 }, async () => {
      const { results } = gather(
        await agent.all({
          ...{ model: 'wire/big', messages: [{ role: 'user' as const, content: 'send' }] },
          mcp_servers: [{ integration_fqn: 'prod:slack' }],
        }),
      );
      expect(results).toHaveLength(25);
      for (const { isError } of results) count(!isError);
    });
    const sends = Array.from({ length: 800 }, (_, at) => ways[at % ways.length]?.());
    await Promise.all([...sends, ...runs]);
    expect([passed, server.seen.length]).toEqual([5, 5]);
    await client.close();
  });
});

describe('other limits', () => {
  it('are shared by a team', async () => {
    expect(
      statuses([
        await call('fay', 'prod:team'),
        await call('finn', 'prod:team'),
        await call('fay', 'prod:team'),
      ]),
    ).toEqual([200, 200, 429]);
    expect((await call('ann', 'prod:team')).status).toBe(200);
  });

  it('only note what they would have refused, where they watch', async () => {
    expect(statuses([await call('ann', 'prod:watched'), await call('ann', 'prod:watched')])).toEqual([
      200, 200,
    ]);
    const { body } = await people.api('owner', 'GET', '/activity?limit=2');
    expect((body['calls'] as { notes: string | null }[]).map(({ notes }) => notes)).toEqual([
      'audited only-watched',
      null,
    ]);
  });

  it('keep calls from being under way at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('ann', 'prod:busy')));
    const through = answers.filter(({ status }) => status === 200).length;
    expect(through).toBe(server.seen.length);
    expect(answers.filter(({ status }) => status === 503).length).toBe(20 - through);
    expect(through).toBeLessThan(20);
    expect((await call('ann', 'prod:busy')).status).toBe(200);
  });

  it('hold no place for a call that waits for a person, and have one when it goes on', async () => {
    const taken = async (): Promise<unknown> => {
      const { counters } = limitListSchema.parse((await people.api('owner', 'GET', '/limits')).body);
      return counters.find(({ policy }) => policy === 'one-asked');
    };
    const waiting = call('ann', 'prod:asked');
    const pending = async (): Promise<string> => {
      const { approvals } = (await people.api('ben', 'GET', '/approvals?status=pending')).body;
      return (approvals as { id: string }[])[0]?.id ?? '';
    };
    await vi.waitFor(async () => expect(await pending()).not.toBe(''), 10_000);
    const shown = { unit: 'concurrency', limit: '1', amount: 1, used: 0, remaining: 1, roomAt: null };
    expect(await taken()).toMatchObject(shown);
    expect((await call('ben', 'prod:asked', 'x', 'listCollections')).status).toBe(200);
    const decided = await people.api('ben', 'POST', `/approvals/${await pending()}/approve`, {});
    expect(decided.status).toBe(200);
    expect((await waiting).status).toBe(200);
    expect((await call('ben', 'prod:asked', 'x', 'listCollections')).status).toBe(200);
    expect(server.seen).toHaveLength(3);
  });

  it('go by what the caller says of the call, and are not evaded by saying nothing', async () => {
    const by = async (metadata?: string): Promise<number> => {
      const response = await fetch(`${gateway.address}/api/v1/calls`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${people.tokens['ann'] ?? ''}`,
          'content-type': 'application/json',
          ...(metadata !== undefined && { 'x-toolgate-metadata': metadata }),
        },
        body: JSON.stringify({ server: 'prod:feature', tool: 'deleteCollection', arguments: {} }),
      });
      return response.status;
    };
    const search = '{"feature":"search"}';
    expect([await by(search), await by(search), await by('{"feature":"other"}')]).toEqual([200, 429, 200]);
    expect([await by(), await by('{}'), await by('{"fea')]).toEqual([200, 429, 400]);
  });

  it('are not evaded by a value made up for each call, and nobody else pays for it', async () => {
    const by = async (who: string, feature: string): Promise<number> => {
      const response = await fetch(`${gateway.address}/api/v1/calls`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${people.tokens[who] ?? ''}`,
          'content-type': 'application/json',
          'x-toolgate-metadata': JSON.stringify({ feature }),
        },
        body: JSON.stringify({ server: 'prod:feature', tool: 'deleteCollection', arguments: {} }),
      });
      return response.status;
    };
    const made: number[] = [];
    for (let at = 0; at < 400; at += 50)
      made.push(
        ...(await Promise.all(Array.from({ length: 50 }, (_, more) => by('eve', `made-up-${at + more}`)))),
      );
    // The counter of those who say nothing is used up by the test before.
    expect(made.filter((status) => status === 200)).toHaveLength(256);
    expect([made.at(-1), await by('ben', 'honest')]).toEqual([429, 200]);
  });

  it('hold several windows at once', async () => {
    const all = [
      await call('cleo', 'prod:twice'),
      await call('cleo', 'prod:twice'),
      await call('cleo', 'prod:twice'),
    ];
    expect(statuses(all)).toEqual([200, 200, 429]);
    const { counters } = limitListSchema.parse((await people.api('cleo', 'GET', '/limits')).body);
    expect(counters.filter(({ policy }) => policy === 'two-windows')).toMatchObject([
      { limit: '2/hour', used: 2, remaining: 0, holder: { principal: 'user:cleo' } },
      { limit: '3/day', used: 2, remaining: 1 },
    ]);
  });

  it('show to everybody their own alone, and begin anew by an administrator', async () => {
    const seen = limitListSchema.parse((await people.api('ben', 'GET', '/limits')).body).counters;
    expect(new Set(seen.map(({ holder }) => holder['principal']))).toEqual(new Set(['user:ben']));
    expect((await call('cleo', 'prod:twice')).status).toBe(429);
    const path = `${gateway.address}/api/v1/limits/two-windows`;
    const by = (who: string): Promise<Response> =>
      fetch(path, { method: 'DELETE', headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } });
    expect([(await by('cleo')).status, (await by('owner')).status]).toEqual([403, 204]);
    expect((await call('cleo', 'prod:twice')).status).toBe(200);
  });
});
