import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApprover } from '../support/approver.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P65 What requests under way hold is bounded, of each caller, by whatever way they come. */
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
    approvals: [{ tools: ["@destructive"], approvers: ["user:carol"], wait: 1m }]
    servers: [${database.entry('mongo')}]
`,
  });
  people = await createPeople(gateway, ['dev', 'eve', 'carol']);
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});

const call = (who: string, tool = 'listCollections'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server: 'prod:mongo', tool, arguments: { database: 'it' } });
const { waitFor, decide } = createApprover(() => people);

it('refuses one caller more until some end, and nobody else', async () => {
  // Equal calls, which one word lets through one after another; blanks are no less of a body.
  const text = JSON.stringify({
    ...{ server: 'prod:mongo', tool: 'deleteCollection' },
    arguments: { database: 'held' },
  });
  const body = text + ' '.repeat(15_000_000);
  const headers = {
    authorization: `Bearer ${people.tokens['dev'] ?? ''}`,
    'content-type': 'application/json',
  };
  const post = (): Promise<Response> =>
    fetch(`${gateway.address}/api/v1/calls`, { method: 'POST', headers, body });
  const five = Array.from({ length: 5 }, post);
  const refused = await Promise.race(five);
  expect(refused.status).toBe(429);
  expect(await refused.text()).toContain('requests of yours that are under way hold 64 MiB');
  const caller = { address: gateway.address, token: people.tokens['dev'] ?? '' };
  const large = { name: 'listCollections', arguments: { database: 'x'.repeat(8_000_000) } };
  const answer = await ask(caller, '/mcp/prod', 'tools/call', large);
  expect(answer.status).toBe(429);
  expect([(await call('dev')).status, (await call('eve')).status]).toEqual([200, 200]);
  await decide('carol', (await waitFor('carol', 'held')).id, 'deny');
  const statuses = (await Promise.all(five)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([403, 403, 403, 403, 429]);
  expect((await post()).status).toBe(403);
});

it('counts a body that comes in pieces as it is read, and no more', async () => {
  const headers = {
    authorization: `Bearer ${people.tokens['eve'] ?? ''}`,
    'content-type': 'application/json',
  };
  const post = (database: string, blanks: number): Promise<Response> => {
    const call = { server: 'prod:mongo', tool: 'deleteCollection', arguments: { database } };
    const text = new Blob([JSON.stringify(call), ' '.repeat(blanks)]).stream();
    // Of a stream nobody knows how long it is.
    const init = { method: 'POST', headers, body: text, duplex: 'half' };
    return fetch(`${gateway.address}/api/v1/calls`, init);
  };
  const small = Array.from({ length: 8 }, () => post('pieces', 10));
  const { id } = await waitFor('carol', 'pieces');
  const five = Array.from({ length: 5 }, () => post('pieces', 15_000_000));
  const refused = await Promise.race(five);
  expect(refused.status).toBe(429);
  expect(await refused.text()).toContain('requests of yours that are under way hold 64 MiB');
  await decide('carol', id, 'deny');
  const statuses = (await Promise.all([...small, ...five])).map(({ status }) => status);
  expect(statuses.sort()).toEqual([...Array<number>(12).fill(403), 429]);
});
