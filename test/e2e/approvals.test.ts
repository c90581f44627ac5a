import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ProgressCallback } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { approvalViewSchema } from '../../gateway/contract/approvals.ts';
import { collect, createAgentClient, eventOf, gather } from '../support/agent-client.ts';
import { createApprover } from '../support/approver.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/**
 * P65 P67 P78 P95 P146 P161–P164 A call that needs approval does not reach its server before somebody else said yes;
 * the server counts.
 */
let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

const config = (): string => `version: 1
subjects:
  teams:
    - { name: security, members: ["user:carol", "user:cem"] }
groups:
  - name: prod
    access: { use: [everyone] }
    approvals:
      - { tools: ["@destructive"], approvers: ["team:security"], wait: 1s, expires: 1m, reason: "It cannot be undone." }
      - tools: [listCollections]
        when: 'size(args.diff.split("\\n")) > 3'
        approvers: ["user:carol"]
        wait: 1s
    servers:
      - ${database.entry('mongo')}
  - name: own
    access: { use: [everyone] }
    approvals:
      - { tools: ["@destructive"], approvers: ["team:security"], fourEyes: false, wait: 1s }
    servers:
      - ${database.entry('mine')}
  - name: shared
    access: { use: [everyone] }
    servers:
      - { name: analytics, virtual: [{ server: "prod:mongo", tools: ["@all"] }] }
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access:
    - { models: ["wire/*"], use: [everyone] }
policies:
  approvals:
    - name: hr
      when: { condition: 'args.database == "hr"', servers: ["prod:*"] }
      approvers: ["user:hal"]
      wait: 1s
`;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({ config: config() });
  people = await createPeople(gateway, ['dev', 'eve', 'carol', 'cem', 'hal']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});
beforeEach(() => {
  database.clear();
  wire.requests.length = 0;
});

const call = (
  who: string,
  args: Record<string, unknown> = {},
  tool = 'deleteCollection',
  server = 'prod:mongo',
): Promise<ApiAnswer> => people.api(who, 'POST', '/calls', { server, tool, arguments: args });
const { pending, decide, waitFor } = createApprover(() => people);
const detail = ({ body }: ApiAnswer): string => String(body['detail']);

describe('a destructive call', () => {
  it('waits, is denied, and never reaches the server: the wiped collection', async () => {
    const refused = await call('dev', { database: 'wiped' });
    expect(refused.status).toBe(403);
    expect(detail(refused)).toMatch(
      /waits for approval by team:security.*#approval=apr_.*make the same call again/,
    );
    const one = await waitFor('carol', 'wiped');
    expect(one).toMatchObject({
      subject: 'user:dev',
      server: 'toolgate:prod:mongo',
      tool: 'deleteCollection',
      reason: 'It cannot be undone.',
      mayDecide: true,
      arguments: { database: 'wiped' },
    });
    expect(refused.body['url']).toBe(one.url);
    expect((await decide('carol', one.id, 'deny', { reason: 'Not on a Friday.' })).status).toBe(200);
    const again = await call('dev', { database: 'wiped' });
    expect(again.status).toBe(403);
    expect(detail(again)).toContain('denied by user:carol: Not on a Friday.');
    expect(database.seen).toEqual([]);
    expect(await pending('carol')).toEqual([]);
  });

  it('goes through once when it was approved, for that caller and those arguments alone', async () => {
    await call('dev', { database: 'once' });
    const one = await waitFor('cem', 'once');
    expect((await decide('cem', one.id, 'approve')).status).toBe(200);
    expect((await call('dev', { database: 'other' })).status).toBe(403);
    expect((await call('eve', { database: 'once' })).status).toBe(403);
    expect(database.seen).toEqual([]);
    const racing = await Promise.all(Array.from({ length: 8 }, () => call('dev', { database: 'once' })));
    expect(racing.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(403)]);
    expect(database.seen).toHaveLength(1);
    const spent = approvalViewSchema.parse((await people.api('dev', 'GET', `/approvals/${one.id}`)).body);
    expect(spent).toMatchObject({
      status: 'spent',
      decision: { by: 'user:cem', verdict: 'approved', via: 'api' },
    });
    const { body } = await people.api('owner', 'GET', '/activity?limit=50');
    const records = body['calls'] as { outcome: string; approval: string | null }[];
    expect(records.filter(({ outcome }) => outcome === 'ok')).toMatchObject([{ approval: one.id }]);
  });

  it('goes on in the same call when it is approved while it is held open', async () => {
    const held = call('dev', { database: 'held' });
    await decide('carol', (await waitFor('carol', 'held')).id, 'approve');
    expect((await held).status).toBe(200);
    expect(database.seen).toHaveLength(1);
  });

  it('needs the same word by way of a virtual server', async () => {
    expect((await call('dev', { database: 'virtual' }, 'deleteCollection', 'shared:analytics')).status).toBe(
      403,
    );
    expect((await waitFor('carol', 'virtual')).server).toBe('toolgate:shared:analytics');
    expect(database.seen).toEqual([]);
  });

  it('needs a word of each source of policies', async () => {
    await call('dev', { database: 'hr' });
    await decide('carol', (await waitFor('carol', 'hr')).id, 'approve');
    const second = await call('dev', { database: 'hr' });
    expect(detail(second)).toContain('approval by user:hal');
    expect(database.seen).toEqual([]);
    await decide('hal', (await waitFor('hal', 'hr')).id, 'approve');
    expect((await call('dev', { database: 'hr' })).status).toBe(200);
    expect(database.seen).toHaveLength(1);
  });
});

describe('who decides', () => {
  it('is whom the policy names, and never the caller, however high', async () => {
    await call('carol', { database: 'four-eyes' });
    const one = await waitFor('cem', 'four-eyes');
    const own = await decide('carol', one.id, 'approve');
    expect([own.status, detail(own)]).toEqual([403, 'nobody approves their own call here (fourEyes)']);
    expect((await decide('eve', one.id, 'approve')).status).toBe(404);
    const owner = await decide('owner', one.id, 'approve');
    expect([owner.status, detail(owner)]).toEqual([403, 'this is approved by team:security']);
    expect((await people.api('eve', 'GET', `/approvals/${one.id}`)).status).toBe(404);
    expect((await decide('cem', one.id, 'approve')).status).toBe(200);
    const late = await decide('cem', one.id, 'deny');
    expect([late.status, detail(late)]).toEqual([409, 'it was approved by user:cem']);
  });

  it('is one of two who race', async () => {
    await call('dev', { database: 'race' });
    const { id } = await waitFor('carol', 'race');
    const both = await Promise.all([decide('carol', id, 'approve'), decide('cem', id, 'deny')]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  it('may be the caller where the group says so', async () => {
    await call('carol', { database: 'mine' }, 'deleteCollection', 'own:mine');
    await decide('carol', (await waitFor('carol', 'mine')).id, 'approve');
    expect((await call('carol', { database: 'mine' }, 'deleteCollection', 'own:mine')).status).toBe(200);
  });
});

describe('a standing approval', () => {
  it('lets calls of that caller and tool through while it lasts, whatever their arguments, and can be taken back', async () => {
    await call('dev', { database: 'standing' });
    const one = await waitFor('carol', 'standing');
    expect((await decide('carol', one.id, 'approve', { scope: 'session' })).status).toBe(400);
    await decide('carol', one.id, 'approve', { scope: { minutes: 5 } });
    for (const database of ['standing', 'a', 'b']) expect((await call('dev', { database })).status).toBe(200);
    expect((await call('eve', { database: 'a' })).status).toBe(403);
    expect((await call('dev', { database: 'a' }, 'deleteCollection', 'own:mine')).status).toBe(403);
    const { body } = await people.api('carol', 'GET', '/approval-grants');
    const [grant] = body['grants'] as { id: string; uses: number }[];
    expect(grant).toMatchObject({ subject: 'user:dev', tool: 'deleteCollection', by: 'user:carol', uses: 2 });
    const path = `${gateway.address}/api/v1/approval-grants/${grant?.id}`;
    const headers = { authorization: `Bearer ${people.tokens['carol'] ?? ''}` };
    expect((await fetch(path, { method: 'DELETE', headers })).status).toBe(204);
    expect((await call('dev', { database: 'c' })).status).toBe(403);
  });
});

describe('an MCP client', () => {
  it('is told with progress while its call waits, then where to approve; its retry goes through once', async () => {
    const client = new Client({ name: 'client', version: '1' });
    const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/prod/mongo`), {
      requestInit: { headers: { authorization: `Bearer ${people.tokens['dev'] ?? ''}` } },
    });
    await client.connect(transport);
    const told: (string | undefined)[] = [];
    const remove = (onprogress?: ProgressCallback) =>
      client.callTool({ name: 'deleteCollection', arguments: { database: 'client' } }, undefined, {
        ...(onprogress && { onprogress }),
      });
    const first = await remove(({ message }) => told.push(message));
    expect(first).toMatchObject({
      isError: true,
      _meta: { 'toolgate/refusal': { reason: 'approval-required' } },
    });
    expect(told[0]).toMatch(/waits for approval by team:security/);
    const one = await waitFor('carol', 'client');
    await decide('carol', one.id, 'approve');
    expect(await remove()).toMatchObject({ content: [{ text: 'deleteCollection ran' }] });
    expect(await remove()).toMatchObject({ isError: true });
    expect(database.seen).toHaveLength(1);
    await client.close();
  });

  it('is held back in the modern era, too', async () => {
    const caller = { address: gateway.address, token: people.tokens['dev'] ?? '' };
    const params = { name: 'deleteCollection', arguments: { database: 'modern' } };
    const first = await askModern(caller, '/mcp/prod/mongo', 'tools/call', params);
    expect(first.result).toMatchObject({ isError: true });
    await decide('carol', (await waitFor('carol', 'modern')).id, 'approve');
    expect((await askModern(caller, '/mcp/prod/mongo', 'tools/call', params)).result).not.toHaveProperty(
      'isError',
    );
    expect(database.seen).toHaveLength(1);
  });
});

describe("an agent's run", () => {
  const body = (database: string, more: object = {}) => ({
    model: 'wire/big',
    stream: true,
    messages: [{ role: 'user' as const, content: `delete ${database}` }],
    mcp_servers: [{ integration_fqn: 'prod:mongo' }],
    ...more,
  });
  const wants = (tool: string, args: object) =>
    calls([{ id: 'c1', name: `mongo__${tool}`, arguments: JSON.stringify(args) }]);

  it('pauses over a diff above the threshold until the named approver allows it', async () => {
    const diff = '--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old\n+new';
    wire.reply(wants('listCollections', { database: 'diff', diff }), says('done'));
    const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    const { events } = await agent.post(body('diff'));
    const all = collect(events);
    const one = await waitFor('carol', 'diff');
    expect(one).toMatchObject({
      source: 'agent',
      model: 'wire/big',
      diffs: [{ argument: 'diff', text: diff }],
    });
    expect((await decide('cem', one.id, 'approve')).status).toBe(404);
    expect(database.seen).toEqual([]);
    await decide('carol', one.id, 'approve');
    const told = await all;
    expect(eventOf(told, 'tool.approval_required')).toMatchObject({
      id: one.id,
      url: one.url,
      toolCallId: 'c1',
    });
    expect(eventOf(told, 'tool.approval_resolved')).toMatchObject({ verdict: 'approved', by: 'user:carol' });
    expect(gather(told)).toMatchObject({ text: 'done', results: [{ isError: false }] });
    expect(database.seen).toHaveLength(1);
  });

  it('is not stopped by a small diff, nor ended by a denial that its model reads', async () => {
    wire.reply(wants('listCollections', { database: 'small', diff: 'one line' }), says('done'));
    const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    expect(gather(await agent.all(body('small')))).toMatchObject({ results: [{ isError: false }] });
    wire.reply(wants('deleteCollection', { database: 'denied' }), says('I shall not.'));
    const { events } = await agent.post(body('denied'));
    const all = collect(events);
    await decide('cem', (await waitFor('cem', 'denied')).id, 'deny', { reason: 'Ask Ada first.' });
    const told = gather(await all);
    expect(told.text).toBe('I shall not.');
    expect(told.results[0]?.content).toContain('denied by user:cem: Ask Ada first.');
    expect(database.seen.map(({ name }) => name)).toEqual(['listCollections']);
  });

  it('can be approved for the whole of it, and no other run', async () => {
    const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    const twice = calls([{ id: 'c1', name: 'mongo__deleteCollection', arguments: '{"database":"run-1"}' }]);
    const then = calls([{ id: 'c2', name: 'mongo__deleteCollection', arguments: '{"database":"run-2"}' }]);
    wire.reply(twice, then, says('done'));
    const { events } = await agent.post(body('run'));
    const all = collect(events);
    await decide('carol', (await waitFor('carol', 'run-1')).id, 'approve', { scope: 'session' });
    expect(gather(await all).results.map(({ isError }) => isError)).toEqual([false, false]);
    expect(database.seen).toHaveLength(2);
    expect((await call('dev', { database: 'run-2' })).status).toBe(403);
  });

  it('takes its request back when it is cancelled', async () => {
    wire.reply(wants('deleteCollection', { database: 'cancelled' }));
    const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    const { response, events } = await agent.post(body('cancelled'));
    const all = collect(events);
    const { id } = await waitFor('carol', 'cancelled');
    await agent.fetch(`/api/llm/agent/runs/${response.headers.get('x-toolgate-run-id') ?? ''}/cancel`, {
      method: 'POST',
    });
    await all;
    const late = await decide('carol', id, 'approve');
    expect([late.status, detail(late)]).toEqual([409, 'the call was taken back']);
    expect(database.seen).toEqual([]);
  });
});
