import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type People } from '../support/people.ts';

/** Regular expressions that take for ever elsewhere, over arguments that a caller chooses. */
const BOMB = 'args.database.matches("^(a+)+$") || args.database.matches("^(a|aa)*b$")';
let gateway: RunningGateway;
let upstream: CountingServer;
let people: People;

beforeAll(async () => {
  upstream = await startCountingServer();
  const rules = `, unlistedTools: deny, tools: [{ match: runAggregation, effect: allow, when: '${BOMB}' }]`;
  gateway = await startGateway({
    config: `version: 1
groups: [{ name: g, servers: [${upstream.entry('counting', rules)}] }]
`,
  });
  people = await createPeople(gateway, []);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.close();
});

it('are judged in time that grows with the text alone', async () => {
  const call = async (database: string): Promise<number> => {
    const body = { server: 'g:counting', tool: 'runAggregation', arguments: { database } };
    return (await people.api('owner', 'POST', '/calls', body)).status;
  };
  await expect.poll(() => call('aaaa')).toBe(200);
  upstream.clear();
  const refused = await Promise.race([
    call(`${'a'.repeat(20_000)}!`),
    new Promise((resolve) => setTimeout(() => resolve('still judging'), 10_000)),
  ]);
  expect(refused).toBe(403);
  expect(upstream.seen).toEqual([]);
});
