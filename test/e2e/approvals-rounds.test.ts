import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FIXTURE } from '../conformance/fixture.ts';
import { createApprover } from '../support/approver.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
import { createPeople, type People } from '../support/people.ts';

/** P65 P146 A call whose server asks before it answers is one call: one approval is good for all its rounds, and no more. */
const WHO = { name: 'test_elicitation', arguments: { message: 'Who?' } };
const ADA = { action: 'accept' as const, content: { username: 'ada', email: 'ada@example.com' } };
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  const server = (name: string, protocol: string): string =>
    `{ name: ${name}, command: node, args: ["${FIXTURE}"], protocol: ${protocol} }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: asks
    access: { use: [everyone] }
    approvals: [{ tools: ["test_*"], approvers: ["user:carol"], wait: 300ms }]
    servers: [${server('old', 'legacy')}, ${server('new', 'modern')}]
`,
  });
  people = await createPeople(gateway, ['dev', 'carol']);
  await ask({ address: gateway.address, token: people.tokens['dev'] ?? '' }, '/mcp', 'tools/list');
});
afterAll(() => gateway.stop());

const { waitFor, decide } = createApprover(() => people);
const approve = async (): Promise<void> => {
  const { id } = await waitFor('carol');
  expect((await decide('carol', id, 'approve')).status).toBe(200);
};

it('of a client of the modern era, which answers with another try', async () => {
  const caller = { address: gateway.address, token: people.tokens['dev'] ?? '' };
  const forms = { capabilities: { elicitation: {} } };
  const call = (params: object) => ask(caller, '/mcp/asks/old', 'tools/call', { ...WHO, ...params }, forms);
  expect((await call({})).result).toMatchObject({ isError: true });
  await approve();
  const { result } = await call({});
  expect(result).toMatchObject({ resultType: 'input_required' });
  const [key = ''] = Object.keys(result?.['inputRequests'] as object);
  const answer = { requestState: result?.['requestState'], inputResponses: { [key]: ADA } };
  const done = await call(answer);
  expect(done.result).toMatchObject({ resultType: 'complete' });
  expect(done.result).not.toHaveProperty('isError');
  expect((await call(answer)).error).toBeDefined();
  expect((await call({})).result).toMatchObject({
    isError: true,
    _meta: { 'toolgate/refusal': { reason: 'approval-required' } },
  });
});

it('of a client with a session, which is asked meanwhile', async () => {
  const client = new Client({ name: 'client', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ADA);
  const requestInit = { headers: { authorization: `Bearer ${people.tokens['dev'] ?? ''}` } };
  const url = new URL(`${gateway.address}/mcp/asks/new`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  expect(await client.callTool(WHO)).toMatchObject({ isError: true });
  await approve();
  const done = await client.callTool(WHO);
  expect([done.isError, JSON.stringify(done.content)]).toEqual([undefined, expect.stringContaining('ada')]);
  expect(await client.callTool(WHO)).toMatchObject({ isError: true });
  await client.close();
});
