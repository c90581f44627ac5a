import { afterAll, beforeAll, expect, it } from 'vitest';
import { registryViewSchema } from '../../gateway/contract/registry.ts';
import { crashingServer, type CrashingServer } from '../support/crashing-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P68 P71 A server's process ends in the middle of a call: it notes each call that reaches it, and in which process. */
let server: CrashingServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  server = await crashingServer();
  gateway = await startGateway({
    config: `version: 1
groups: [{ name: g, servers: [${server.entry('crashing')}] }]
`,
  });
  people = await createPeople(gateway, []);
});
afterAll(async () => {
  await gateway.stop();
});

const call = (tool: string): Promise<ApiAnswer> =>
  people.api('owner', 'POST', '/calls', { server: 'g:crashing', tool, arguments: {} });

/** A process that ends as soon as it runs is left alone for a second: this one is to have run for longer. */
const hasRun = (): Promise<void> =>
  expect
    .poll(
      async () => {
        const { groups } = registryViewSchema.parse((await people.api('owner', 'GET', '/registry')).body);
        const [view] = groups.flatMap(({ servers }) => servers);
        return view?.state === 'ready' && Date.now() - Date.parse(view.listedAt ?? '') > 1_500;
      },
      { timeout: 15_000 },
    )
    .toBe(true);

it('a call that only reads is made again, of a new process, and succeeds', async () => {
  await hasRun();
  await server.arm();
  const answer = await call('read');
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([
    200,
    expect.stringContaining('read is done'),
  ]);
  const reached = await server.reached();
  expect(reached.map(({ tool }) => tool)).toEqual(['read', 'read']);
  expect(new Set(reached.map(({ pid }) => pid)).size).toBe(2);
});

it('a call that may write is not, and says that it may have been done', async () => {
  await hasRun();
  await server.arm();
  const answer = await call('write');
  expect([answer.status, answer.body['detail']]).toEqual([
    502,
    "g:crashing is not available: the server's process exited with code 7. It may have been done before that, and was not tried again; look before you repeat it",
  ]);
  expect((await server.reached()).map(({ tool }) => tool)).toEqual(['write']);
  await hasRun();
  expect((await call('write')).status).toBe(200);
});
