import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalGrantListSchema, type ApprovalGrant } from '../../gateway/contract/approvals.ts';
import { collect, createAgentClient } from '../support/agent-client.ts';
import { createApprover } from '../support/approver.ts';
import { toolgate, type CliResult } from '../support/cli.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P65 P95 P146 Who sees what was let stand, and takes it back; and that it ends with what it was given for. */
let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

const config = (): string => `version: 1
subjects:
  teams: [{ name: security, members: ["user:carol", "user:cem"] }]
groups:
  - name: prod
    access: { use: [everyone], manage: ["user:mona"] }
    approvals:
      - { tools: ["@destructive"], approvers: ["team:security"], wait: 300ms }
      - { tools: [runAggregation], approvers: ["user:carol"], wait: 300ms }
    servers: [${database.entry('mongo')}]
  - name: other
    access: { use: [everyone], manage: ["user:otto"] }
    servers: [${database.entry('else')}]
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
`;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({ config: config() });
  people = await createPeople(gateway, ['dev', 'eve', 'carol', 'cem', 'mona', 'otto', 'leaver']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});

const { decide, waitFor } = createApprover(() => people);
const grants = async (who: string): Promise<ApprovalGrant[]> =>
  approvalGrantListSchema.parse((await people.api(who, 'GET', '/approval-grants')).body).grants;
/** Somebody deletes something; the answer's status. */
const remove = async (who: string, path: string): Promise<number> => {
  const headers = { authorization: `Bearer ${people.tokens[who] ?? ''}` };
  return (await fetch(`${gateway.address}/api/v1${path}`, { method: 'DELETE', headers })).status;
};
/** Somebody takes a standing approval back; the answer's status. */
const revoke = (who: string, { id }: Pick<ApprovalGrant, 'id'>): Promise<number> =>
  remove(who, `/approval-grants/${id}`);
const noneLeft = (): Promise<void> =>
  vi.waitFor(async () => expect(await grants('carol')).toEqual([]), { timeout: 10_000 });

/** Lets calls of somebody stand for some minutes, by carol's word. */
async function letStand(name: string, who = 'dev'): Promise<ApprovalGrant> {
  const call = { server: 'prod:mongo', tool: 'deleteCollection', arguments: { database: name } };
  await people.api(who, 'POST', '/calls', call);
  await decide('carol', (await waitFor('carol', name)).id, 'approve', { scope: { minutes: 5 } });
  const grant = (await grants('carol')).find(({ subject }) => subject === `user:${who}`);
  if (grant === undefined) throw new Error('nothing was let stand');
  return grant;
}

async function connect(): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: 'client', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${people.tokens['dev'] ?? ''}` } };
  const url = new URL(`${gateway.address}/mcp/prod/mongo`);
  const transport = new StreamableHTTPClientTransport(url, { requestInit });
  await client.connect(transport);
  return { client, transport };
}

/** What was let stand for a session of dev's MCP client, which has used it. */
async function letStandFor(client: Client, name: string): Promise<ApprovalGrant | undefined> {
  const call = { name: 'deleteCollection', arguments: { database: name } };
  expect((await client.callTool(call)).isError).toBe(true);
  await decide('carol', (await waitFor('carol', name)).id, 'approve', { scope: 'session' });
  expect((await client.callTool(call)).isError).not.toBe(true);
  return (await grants('carol')).find(({ session }) => session !== null);
}

/** Runs the agent on what the model says next. `read` resolves when it is over, or broken off. */
async function run(who = 'dev'): Promise<{ id: string; read: Promise<unknown> }> {
  const agent = createAgentClient(gateway.address, people.tokens[who] ?? '');
  const { response, events } = await agent.post({
    model: 'wire/big',
    stream: true,
    messages: [{ role: 'user', content: 'go' }],
    mcp_servers: [{ integration_fqn: 'prod:mongo' }],
  });
  const read = collect(events).catch(() => undefined);
  return { id: response.headers.get('x-toolgate-run-id') ?? '', read };
}
/** The same for dev, whose calls of the tool on this database are let stand for the run; its id. */
async function runWith(name: string): Promise<string> {
  const { id } = await run();
  await decide('carol', (await waitFor('carol', name)).id, 'approve', { scope: 'session' });
  return id;
}
/** What the standing approvals are bound to. */
const sessions = async (): Promise<(string | null)[]> =>
  (await grants('carol')).map(({ session }) => session).sort();

/** Ends the gateway and starts one on the same files. */
async function restart(how: 'killed' | 'stopped'): Promise<void> {
  if (how === 'killed') await gateway.kill();
  else await gateway.stop('kept');
  gateway = await startGateway({ config: config(), after: gateway });
  const { tokens } = people;
  people = await createPeople(gateway, []);
  Object.assign(people.tokens, { ...tokens, owner: gateway.token });
}
const wants = (tool: string, name: string): ReturnType<typeof calls> =>
  calls([{ id: name, name: `mongo__${tool}`, arguments: JSON.stringify({ database: name }) }]);

describe('a standing approval is taken back', () => {
  it.each([
    ['cem', 'another approver'],
    ['mona', 'who manages the group'],
    ['owner', 'an administrator'],
    ['dev', 'the caller'],
  ])('by %s, %s', async (who) => {
    const grant = await letStand(`by ${who}`);
    for (const stranger of ['eve', 'otto']) {
      expect(await grants(stranger)).toEqual([]);
      expect(await revoke(stranger, grant)).toBe(404);
    }
    expect(await grants(who)).toEqual([grant]);
    expect(await revoke(who, grant)).toBe(204);
    expect(await grants('carol')).toEqual([]);
  });

  it('in a terminal, by another approver than the one who gave it', async () => {
    const { id } = await letStand('in a terminal');
    const as = (who: string, ...args: string[]): Promise<CliResult> =>
      toolgate(['approvals', ...args], {
        TOOLGATE_GATEWAY: gateway.address,
        TOOLGATE_TOKEN: people.tokens[who] ?? '',
      });
    expect((await as('eve', 'grants')).stdout).toBe('No standing approvals.\n');
    expect((await as('cem', 'grants')).stdout).toContain(id);
    expect(await as('cem', 'revoke', id)).toMatchObject({ code: 0, stdout: `${id} holds no more.\n` });
    expect((await as('carol', 'grants')).stdout).toBe('No standing approvals.\n');
  });
});

describe('a standing approval ends', () => {
  it('with the session of the MCP client that it was given for, and no other', async () => {
    const [one, other] = [await connect(), await connect()];
    expect(await letStandFor(one.client, 'session')).toMatchObject({ by: 'user:carol', subject: 'user:dev' });
    await other.transport.terminateSession();
    expect(await grants('carol')).toHaveLength(1);
    await one.transport.terminateSession();
    await noneLeft();
    await Promise.all([one.client.close(), other.client.close()]);
  });

  it('with the run that it was given for, whether it comes to its end or is cancelled', async () => {
    for (const last of ['its end', 'cancelled']) {
      wire.reply(wants('deleteCollection', last), wants('runAggregation', `${last} 2`));
      const { id, read } = await run();
      await decide('carol', (await waitFor('carol', last)).id, 'approve', { scope: 'session' });
      const second = await waitFor('carol', `${last} 2`);
      expect(await grants('carol')).toMatchObject([{ session: id }]);
      if (last === 'cancelled') {
        const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
        await agent.fetch(`/api/llm/agent/runs/${id}/cancel`, { method: 'POST' });
      } else {
        wire.reply(says('done'));
        await decide('carol', second.id, 'approve');
      }
      await read;
      await noneLeft();
    }
  });

  it.each(['stopped', 'killed'] as const)(
    'with a gateway that is %s, where it was given for a session or a run under way; for minutes, or a run that waits, it lasts',
    async (how) => {
      const { client } = await connect();
      const session = await letStandFor(client, how);
      const minutes = await letStand(`${how} minutes`, 'eve');
      let release = (): void => undefined;
      const until = new Promise<void>((resolve) => (release = resolve));
      wire.reply(wants('deleteCollection', `${how} under way`), { steps: [{ until }] });
      const underWay = await runWith(`${how} under way`);
      await vi.waitFor(() => expect(wire.requests.at(-1)?.body.messages?.at(-1)?.role).toBe('tool'));
      wire.reply(wants('deleteCollection', `${how} paused`), wants('runAggregation', `${how} paused 2`));
      const paused = await runWith(`${how} paused`);
      await waitFor('carol', `${how} paused 2`);
      const stand = [session?.session, minutes.session, underWay, paused].sort();
      expect(await sessions()).toEqual(stand);
      await restart(how);
      await vi.waitFor(async () => expect(await sessions()).toEqual([minutes.session, paused].sort()), {
        timeout: 10_000,
      });
      wire.reply(says('done'));
      await decide('carol', (await waitFor('carol', `${how} paused 2`)).id, 'deny');
      await vi.waitFor(async () => expect(await grants('carol')).toEqual([minutes]), { timeout: 10_000 });
      await revoke('carol', minutes);
      release();
      await client.close().catch(() => undefined);
    },
    30_000,
  );
});

describe('a call is approved for a session or run that is over', () => {
  const over = (what: string): string =>
    `the ${what} that made the call is over, so that nothing can stand for it; approve it once, or for minutes`;

  it('which is told in words; approved by itself, it goes through once in another session', async () => {
    const [one, other] = [await connect(), await connect()];
    const call = { name: 'deleteCollection', arguments: { database: 'over' } };
    expect((await one.client.callTool(call)).isError).toBe(true);
    const { id, lasts } = await waitFor('carol', 'over');
    expect(lasts).toBe('session');
    await one.transport.terminateSession();
    expect(await waitFor('carol', 'over')).toMatchObject({ id, status: 'pending', lasts: null });
    expect(await decide('carol', id, 'approve', { scope: 'session' })).toMatchObject({
      status: 400,
      body: { field: 'scope', detail: over('session') },
    });
    const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: people.tokens['carol'] ?? '' };
    const late = await toolgate(['approvals', 'approve', id, '--for', 'session'], env);
    expect(late.code).not.toBe(0);
    expect(late.stderr).toContain(over('session'));
    expect((await decide('carol', id, 'approve')).status).toBe(200);
    expect((await other.client.callTool(call)).isError).not.toBe(true);
    expect(await grants('carol')).toEqual([]);
    await Promise.all([one.client.close(), other.client.close()]);
  });

  it('also where a run waited whose token holds no more after the restart', async () => {
    wire.reply(wants('deleteCollection', 'lost'));
    const { read } = await run('leaver');
    await waitFor('carol', 'lost');
    expect(await remove('owner', '/tokens?subject=user:leaver')).toBeLessThan(300);
    await restart('killed');
    await read;
    const { id } = await vi.waitFor(async () => {
      const one = await waitFor('carol', 'lost');
      expect(one.lasts).toBeNull();
      return one;
    }, 10_000);
    const late = await decide('carol', id, 'approve', { scope: 'session' });
    expect(late).toMatchObject({ status: 400, body: { detail: over('run') } });
    expect(await grants('carol')).toEqual([]);
    expect((await decide('carol', id, 'deny')).status).toBe(200);
  });
});
