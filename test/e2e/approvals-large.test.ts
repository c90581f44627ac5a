import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApprover } from '../support/approver.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P65 What waits for approval is read, kept and listed: how much of it there may be is bounded. */
let database: CountingServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["user:carol"], wait: 10ms }]
    servers: [${database.entry('mongo')}]
`,
  });
  people = await createPeople(gateway, ['dev', 'eve', 'carol']);
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});

const call = (who: string, tool: string, name: string, chars: number): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', {
    ...{ server: 'prod:mongo', tool },
    arguments: { database: name + 'x'.repeat(chars) },
  });
const { pending } = createApprover(() => people);

it('refuses a call with more arguments than anybody reads, and only where it has to be approved', async () => {
  const refused = await call('dev', 'deleteCollection', 'one', 1_000_001);
  expect(refused.status).toBe(413);
  expect(String(refused.body['detail'])).toContain('more than the 1000000');
  expect(await pending('carol')).toEqual([]);
  expect((await call('dev', 'listCollections', 'one', 1_000_001)).status).toBe(200);
});

it('lets what one caller has waiting take so much, and leaves room for others', async () => {
  for (let one = 0; one < 8; one++)
    expect((await call('dev', 'deleteCollection', `n${one}`, 950_000)).status).toBe(403);
  const refused = await call('dev', 'deleteCollection', 'n8', 950_000);
  expect(refused.status).toBe(503);
  expect(String(refused.body['detail'])).toContain('8 calls of user:dev wait');
  expect((await call('dev', 'deleteCollection', 'small', 10)).status).toBe(403);
  expect((await call('eve', 'deleteCollection', 'n8', 950_000)).status).toBe(403);
  expect(await pending('carol')).toHaveLength(10);
});
