import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { approvalWebhookEventSchema, type ApprovalWebhookEvent } from '../../gateway/contract/approvals.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
import { createPeople, type People } from '../support/people.ts';
import { signatureOf, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

/** P65 P78 Approvals where the client itself asks its person, and by programs that sign. */
const SECRET = 'the-secret-of-the-webhook';
let database: CountingServer;
let gateway: RunningGateway;
let people: People;
let receiver: WebhookReceiver<ApprovalWebhookEvent>;

beforeAll(async () => {
  database = await startCountingServer();
  receiver = await startWebhookReceiver(SECRET, (body) => approvalWebhookEventSchema.parse(body));
  gateway = await startGateway({
    config: `version: 1
subjects: { serviceAccounts: [{ name: chat-bot }] }
groups:
  - name: own
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["user:dev"], fourEyes: false, wait: 500ms, reason: "It is gone for good." }]
    servers: [${database.entry('mine')}]
  - name: prod
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["serviceaccount:chat-bot"], wait: 500ms }]
    servers: [${database.entry('mongo')}]
policies:
  approvalWebhooks:
    - { name: chat, url: "${receiver.url}", secret: "\${env:HOOK_SECRET}", as: "serviceaccount:chat-bot", allowPrivateAddress: true }
`,
    env: { HOOK_SECRET: SECRET },
  });
  people = await createPeople(gateway, ['dev', 'eve']);
});
afterAll(async () => {
  await gateway.stop();
  await receiver.close();
  await database.close();
});
beforeEach(() => {
  database.clear();
  receiver.told.length = 0;
});

describe('a client that fills in forms', () => {
  async function call(
    who: string,
    path: string,
    answer: object,
  ): Promise<{ result: unknown; asked: string[] }> {
    const client = new Client({ name: 'client', version: '1' }, { capabilities: { elicitation: {} } });
    const asked: string[] = [];
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.message);
      return answer;
    });
    const requestInit = { headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
    const result = await client.callTool({ name: 'deleteCollection', arguments: { database: path } });
    await client.close();
    return { result, asked };
  }

  it('asks its person, where they may decide their own calls', async () => {
    const yes = await call('dev', '/mcp/own/mine', { action: 'accept', content: { decision: 'approve' } });
    expect(yes.asked).toEqual([
      expect.stringMatching(/^It is gone for good\.\n\ndeleteCollection .*\/mcp\/own\/mine/),
    ]);
    expect(yes.result).toMatchObject({ content: [{ text: 'deleteCollection ran' }] });
    expect(database.seen).toHaveLength(1);
    const no = await call('dev', '/mcp/own/mine', {
      action: 'accept',
      content: { decision: 'deny', reason: 'Keep it.' },
    });
    expect(no.result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('Keep it.') }],
    });
    expect(database.seen).toHaveLength(1);
  });

  it('asks nobody who may not decide', async () => {
    for (const [who, path] of [
      ['eve', '/mcp/own/mine'],
      ['dev', '/mcp/prod/mongo'],
    ] as const) {
      const { result, asked } = await call(who, path, { action: 'accept', content: { decision: 'approve' } });
      expect(asked).toEqual([]);
      expect(result).toMatchObject({ isError: true });
    }
    expect(database.seen).toEqual([]);
  });

  it('is asked in rounds in the modern era, and its word counts for that call alone', async () => {
    const caller = { address: gateway.address, token: people.tokens['dev'] ?? '' };
    const capabilities = { elicitation: { form: {} } };
    const params = { name: 'deleteCollection', arguments: { database: 'modern' } };
    const first = await ask(caller, '/mcp/own/mine', 'tools/call', params, { capabilities });
    expect(first.result).toMatchObject({
      resultType: 'input_required',
      inputRequests: { 'toolgate-approval': { method: 'elicitation/create' } },
    });
    const requestState = first.result?.['requestState'];
    const word = { 'toolgate-approval': { action: 'accept', content: { decision: 'approve' } } };
    const other = { ...params, arguments: { database: 'other' }, requestState, inputResponses: word };
    expect((await ask(caller, '/mcp/own/mine', 'tools/call', other, { capabilities })).error).toBeDefined();
    expect(database.seen).toEqual([]);
    const retry = { ...params, requestState, inputResponses: word };
    const done = await ask(caller, '/mcp/own/mine', 'tools/call', retry, { capabilities });
    expect(done.result).toMatchObject({ content: [{ text: 'deleteCollection ran' }] });
    const again = await ask(caller, '/mcp/own/mine', 'tools/call', retry, { capabilities });
    expect(again.result).toMatchObject({ resultType: 'input_required' });
    expect(database.seen).toHaveLength(1);
  });
});

describe('a webhook', () => {
  const call = (database: string) =>
    people.api('dev', 'POST', '/calls', {
      server: 'prod:mongo',
      tool: 'deleteCollection',
      arguments: { database },
    });
  const word = async (
    url: string,
    body: object,
    signature = (text: string): string => signatureOf(SECRET, text),
  ): Promise<Response> => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'x-toolgate-signature': signature(text) };
    return fetch(url, { method: 'POST', headers, body: text });
  };

  it('is told, signed, and decides in the name of an approver', async () => {
    expect((await call('hooked')).status).toBe(403);
    const { event } = await vi.waitFor(() => {
      const one = receiver.told.find(
        ({ event: { approval } }) => approval.arguments['database'] === 'hooked',
      );
      if (one === undefined) throw new Error('nothing was told yet');
      return one;
    }, 10_000);
    expect(receiver.told.every(({ signed }) => signed)).toBe(true);
    expect(event).toMatchObject({
      type: 'approval.requested',
      approval: { subject: 'user:dev', status: 'pending' },
    });
    const url = event.decideUrl ?? '';
    const approve = { id: event.approval.id, verdict: 'approved', person: 'Ada in #security' };
    for (const forged of [
      (text: string) => signatureOf('another-secret', text),
      (text: string) => signatureOf(SECRET, text, Date.now() - 3_600_000),
      (text: string) => signatureOf(SECRET, `${text} `),
      () => 'nothing',
    ])
      expect((await word(url, approve, forged)).status).toBe(401);
    expect((await word(url.replace('chat', 'other'), approve)).status).toBe(401);
    expect((await word(url, approve)).status).toBe(200);
    expect((await word(url, approve)).status).toBe(409);
    expect((await call('hooked')).status).toBe(200);
    expect(database.seen).toHaveLength(1);
    const { body } = await people.api('dev', 'GET', `/approvals/${event.approval.id}`);
    expect(body['decision']).toMatchObject({
      by: 'serviceaccount:chat-bot',
      via: 'webhook',
      person: 'Ada in #security',
    });
  });

  it('decides nothing that its approver may not', async () => {
    await people.api('eve', 'POST', '/calls', {
      ...{ server: 'own:mine', tool: 'deleteCollection', arguments: { database: 'not-theirs' } },
    });
    const { event } = await vi.waitFor(() => {
      const one = receiver.told.find(
        ({ event: { approval } }) => approval.arguments['database'] === 'not-theirs',
      );
      if (one === undefined) throw new Error('nothing was told yet');
      return one;
    }, 10_000);
    expect((await word(event.decideUrl ?? '', { id: event.approval.id, verdict: 'approved' })).status).toBe(
      403,
    );
    expect(database.seen).toEqual([]);
  });
});
