import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAgentClient } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P65 Of what a gateway has a bounded number of, no one caller can hold all. */
let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["user:carol"] }]
    servers: [${database.entry('mongo')}]
models:
  providers: [{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }]
  access: [{ models: ["wire/*"], use: [everyone] }]
`,
  });
  people = await createPeople(gateway, ['dev', 'eve']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});

it('leaves places for the runs of others, however many of one caller wait for approval', async () => {
  const over = new AbortController();
  const run = (who: string) =>
    createAgentClient(gateway.address, people.tokens[who] ?? '').post(
      {
        model: 'wire/big',
        stream: true,
        messages: [{ role: 'user', content: 'delete it' }],
        mcp_servers: [{ integration_fqn: 'prod:mongo' }],
      },
      over.signal,
    );
  const wants = calls([{ id: 'c1', name: 'mongo__deleteCollection', arguments: '{"database":"it"}' }]);
  for (let count = 0; count < 32; count++) {
    wire.reply(wants);
    const { response, events } = await run('dev');
    expect(response.status).toBe(200);
    // Until its call waits.
    for await (const { name } of events) if (name === 'tool.approval_required') break;
  }
  const refused = await run('dev');
  expect(refused.response.status).toBe(429);
  expect(await refused.response.text()).toContain('32 agent runs of yours');
  wire.reply(says('hello'));
  expect((await run('eve')).response.status).toBe(200);
  over.abort();
});

it('ends the idle sessions of whoever opens too many, and nobody else’s', async () => {
  const post = (who: string, body: object, session?: string): Promise<Response> =>
    fetch(`${gateway.address}/mcp/prod`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${people.tokens[who] ?? ''}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
    });
  const open = async (who: string): Promise<string> => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    };
    const answer = await post(who, { method: 'initialize', params });
    await answer.text();
    return answer.headers.get('mcp-session-id') ?? '';
  };
  const lives = async (who: string, session: string): Promise<boolean> =>
    (await post(who, { method: 'ping' }, session)).status === 200;
  const [others, first] = [await open('eve'), await open('dev')];
  for (let count = 0; count < 1_023; count++) await open('dev');
  expect(await lives('dev', first)).toBe(true);
  const second = await open('dev');
  await open('dev');
  expect([await lives('dev', second), await lives('eve', others)]).toEqual([true, true]);
  // The first was seen last, so that another has made room.
  for (let count = 0; count < 1_024; count++) await open('dev');
  expect([await lives('dev', first), await lives('eve', others)]).toEqual([false, true]);
});
