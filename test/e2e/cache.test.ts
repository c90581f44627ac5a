import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P75 P143 Equal calls of what only reads are made once; nobody gets what is another's. */
let search: CountingServer;
let slow: Server;
let slowCalls = 0;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  search = await startCountingServer();
  // An HTTP API, whose operations are tools: it takes its time, and tells who asks.
  slow = createServer((req, res) => {
    if (req.url === '/openapi.json') {
      const get = { operationId: 'read', responses: { 200: { description: 'ok' } } };
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify({ openapi: '3.1.0', info: { title: 's', version: '1' }, paths: { '/x': { get } } }),
      );
      return;
    }
    slowCalls += 1;
    setTimeout(() => res.end(`for ${String(req.headers['x-key'])}`), 150);
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  const api = (name: string, auth: string): string =>
    `{ name: ${name}, openapi: "${url}/openapi.json", baseUrl: "${url}", allowPrivateAddress: true, pins: trust, auth: ${auth} }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - ${search.entry('web-search')}
      - ${search.entry('shared')}
      - ${search.entry('short')}
      - ${search.entry('named')}
      - ${search.entry('plain')}
      - ${api('each', '{ type: header, perUser: true, headers: { X-Key: "{{KEY}}" } }')}
      - ${api('all', '{ type: header, headers: { X-Key: everybody } }')}
policies:
  cache:
    - { when: { tools: ["*:web-search:*"] }, ttl: 10m }
    - { when: { servers: ["g:shared", "g:each", "g:all"] }, ttl: 10m, scope: shared }
    - { when: { servers: ["g:short"] }, ttl: 200ms, maxBytes: 500B }
    - { when: { tools: ["g:named:deleteCollection"] }, ttl: 10m }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(async () => {
  await gateway.stop();
  slow.close();
  await search.close();
});
beforeEach(() => {
  search.clear();
  slowCalls = 0;
});

const call = (server: string, args: object = {}, who = 'ann', tool = 'listCollections'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server: `g:${server}`, tool, arguments: args });
const cacheOf = ({ body }: ApiAnswer): unknown =>
  (body['result'] as { _meta?: Record<string, unknown> })._meta?.['toolgate/cache'];

describe('an equal call', () => {
  it('is answered from what was kept, and says so; another is not, nor another person', async () => {
    const args = { database: 'x', echo: 'found' };
    expect(cacheOf(await call('web-search', args))).toBeUndefined();
    const again = await call('web-search', { echo: 'found', database: 'x' });
    expect(cacheOf(again)).toMatchObject({ hit: true, ttlMs: 600_000 });
    expect(JSON.stringify(again.body)).toContain('found');
    expect(search.seen).toHaveLength(1);
    await call('web-search', { ...args, database: 'y' });
    await call('web-search', args, 'ben');
    expect(search.seen).toHaveLength(3);
    const { body } = await people.api('owner', 'GET', '/activity?limit=4');
    expect((body['calls'] as { cache: string }[]).map(({ cache }) => cache)).toEqual([
      'miss',
      'miss',
      'hit',
      'miss',
    ]);
  });

  it('is made where the caller wants no kept answer, and renews it', async () => {
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${gateway.address}/api/v1/calls`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${people.tokens['ann'] ?? ''}`,
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify({
          server: 'g:web-search',
          tool: 'listCollections',
          arguments: { echo: 'fresh' },
        }),
      });
    for (const headers of [{}, {}, { 'cache-control': 'no-cache' }, {}]) await ask(headers);
    expect(search.seen).toHaveLength(2);
  });

  it('is made again once its time is over, and for what is too large', async () => {
    await call('short', { echo: 'a' });
    await call('short', { echo: 'a' });
    expect(search.seen).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 250));
    await call('short', { echo: 'a' });
    expect(search.seen).toHaveLength(2);
    for (let count = 0; count < 2; count++) await call('short', { echo: 'x'.repeat(600) });
    expect(search.seen).toHaveLength(4);
  });

  it('of what may write is never answered so, unless that tool is named; nor where no policy is', async () => {
    for (let count = 0; count < 2; count++) await call('web-search', {}, 'ann', 'deleteCollection');
    for (let count = 0; count < 2; count++) await call('plain');
    expect(search.seen).toHaveLength(4);
    for (let count = 0; count < 2; count++) await call('named', {}, 'ann', 'deleteCollection');
    expect(search.seen).toHaveLength(5);
  });
});

describe('what was kept', () => {
  it('is forgotten when the same person writes to the server', async () => {
    await call('web-search', { database: 'w' });
    await call('web-search', { database: 'w' }, 'ben');
    await call('web-search', {}, 'ann', 'deleteCollection');
    await call('web-search', { database: 'w' });
    expect(search.seen).toHaveLength(4);
    expect(cacheOf(await call('web-search', { database: 'w' }, 'ben'))).toBeDefined();
  });

  it('is given to others only where the server sees everybody as one', async () => {
    await call('shared', { echo: 'public' });
    expect(cacheOf(await call('shared', { echo: 'public' }, 'ben'))).toMatchObject({ hit: true });
    expect(search.seen).toHaveLength(1);
    for (const who of ['ann', 'ben'])
      await people.api(who, 'PUT', '/credentials/g/each', { values: { KEY: `key-of-${who}` } });
    const read = async (who: string): Promise<string> =>
      JSON.stringify((await call('each', {}, who, 'read')).body);
    expect(await read('ann')).toContain('for key-of-ann');
    expect(await read('ben')).toContain('for key-of-ben');
    expect(await read('ann')).toContain('for key-of-ann');
    expect(slowCalls).toBe(2);
  });

  it('is shown to administrators, who can have it forgotten', async () => {
    await call('shared', { echo: 'shown' });
    const { body } = await people.api('owner', 'GET', '/cache');
    expect(body['servers']).toContainEqual(expect.objectContaining({ serverId: 'g:shared' }));
    const headers = { authorization: `Bearer ${people.tokens['owner'] ?? ''}` };
    await fetch(`${gateway.address}/api/v1/cache?server=g:shared`, { method: 'DELETE', headers });
    await call('shared', { echo: 'shown' });
    expect(search.seen).toHaveLength(2);
    expect((await people.api('ann', 'GET', '/cache')).status).toBe(403);
  });
});

it('equal calls that are under way together are made once', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => call('all', {}, 'ann', 'read')));
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(50).fill(200));
  expect(slowCalls).toBe(1);
});
