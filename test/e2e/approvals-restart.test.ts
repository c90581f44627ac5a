import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalListSchema, type ApprovalView } from '../../gateway/contract/approvals.ts';
import { collect, createAgentClient, eventOf, gather, type RunEvent } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P163 P164 What waits for approval, and what was approved, outlives the gateway. */
let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

const DIFF = '--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n same\n-old\n+new';

const config = (): string => `version: 1
groups:
  - name: prod
    access: { use: [everyone] }
    approvals:
      - { tools: ["@destructive"], approvers: ["user:carol"], wait: 500ms }
      - { tools: [runAggregation], when: 'size(args.diff.split("\\n")) > 3', approvers: ["user:carol"] }
    servers:
      - ${database.entry('mongo')}
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
`;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({ config: config() });
  people = await createPeople(gateway, ['dev', 'carol']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});

/** Ends the gateway and starts one on the same files. */
async function restart(how: 'killed' | 'stopped'): Promise<void> {
  if (how === 'killed') await gateway.kill();
  else expect(await gateway.stop('kept')).toBe(0);
  gateway = await startGateway({ config: config(), after: gateway });
  const { tokens } = people;
  people = { ...(await createPeople(gateway, [])), tokens: { ...tokens, owner: gateway.token } };
}
const api = async (who: string, method: string, path: string, body?: unknown) => {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${people.tokens[who] ?? ''}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const waiting = (): Promise<ApprovalView> =>
  vi.waitFor(
    async () => {
      const [one] = approvalListSchema.parse((await api('carol', 'GET', '/approvals')).body).approvals;
      if (one === undefined) throw new Error('nothing waits yet');
      return one;
    },
    { timeout: 10_000 },
  );

describe.each(['killed', 'stopped'] as const)('a gateway that is %s', (how) => {
  it('keeps what was asked and what was approved', async () => {
    database.clear();
    const call = () =>
      api('dev', 'POST', '/calls', {
        server: 'prod:mongo',
        tool: 'deleteCollection',
        arguments: { database: how },
      });
    expect((await call()).status).toBe(403);
    await restart(how);
    const one = await waiting();
    expect((await api('carol', 'POST', `/approvals/${one.id}/approve`, {})).status).toBe(200);
    await restart(how);
    await vi.waitFor(async () => expect((await call()).status).toBe(200), { timeout: 10_000, interval: 300 });
    expect((await call()).status).toBe(403);
    expect(database.seen).toHaveLength(1);
    await api('carol', 'POST', `/approvals/${(await waiting()).id}/deny`, {});
  });

  it('goes on with a run that a diff over the threshold has paused, where it stood, once the named approver allows it', async () => {
    database.clear();
    wire.requests.length = 0;
    wire.reply(
      calls([
        { id: 'c1', name: 'mongo__listCollections', arguments: `{"database":"${how}-run"}` },
        { id: 'c2', name: 'mongo__runAggregation', arguments: JSON.stringify({ database: how, diff: DIFF }) },
      ]),
      says('all done'),
    );
    const agent = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    const { response, events } = await agent.post({
      model: 'wire/big',
      stream: true,
      messages: [{ role: 'user', content: 'go' }],
      mcp_servers: [{ integration_fqn: 'prod:mongo' }],
    });
    const id = response.headers.get('x-toolgate-run-id') ?? '';
    const before: RunEvent[] = [];
    for await (const event of events) {
      before.push(event);
      const required = before.some(({ name }) => name === 'tool.approval_required');
      if (required && gather(before).results.length === 1) break;
    }
    expect(database.seen.map(({ name }) => name)).toEqual(['listCollections']);
    await restart(how);
    const one = await waiting();
    expect(one).toMatchObject({ runId: id, diffs: [{ argument: 'diff', text: DIFF }], lasts: 'run' });
    const resumed = createAgentClient(gateway.address, people.tokens['dev'] ?? '');
    const stream = await vi.waitFor(
      async () => {
        const followed = await resumed.follow(id, before.at(-1)?.id ?? 0);
        if (!followed.response.ok) throw new Error(String(followed.response.status));
        return followed;
      },
      { timeout: 10_000 },
    );
    const rest = collect(stream.events);
    for (const who of ['dev', 'owner'])
      expect((await api(who, 'POST', `/approvals/${one.id}/approve`, {})).status).toBe(403);
    expect(database.seen).toHaveLength(1);
    expect((await api('carol', 'POST', `/approvals/${one.id}/approve`, {})).status).toBe(200);
    const all = [...before, ...(await rest)];
    expect(gather(all)).toMatchObject({
      text: 'all done',
      results: [{ id: 'c1' }, { id: 'c2', isError: false }],
    });
    expect(eventOf(all, 'run.done')).toMatchObject({ runId: id, status: 'completed', toolCalls: 2 });
    expect(database.seen.map(({ name }) => name)).toEqual(['listCollections', 'runAggregation']);
    expect(wire.requests).toHaveLength(2);
  });
});
