import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createAgentClient } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

const STDIO = `import { McpServer } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/mcp.js')}';
import { StdioServerTransport } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/stdio.js')}';
const server = new McpServer({ name: 'own', version: '1' });
const annotations = { readOnlyHint: true };
server.registerTool('whoami', { annotations }, () => ({ content: [{ type: 'text', text: 'I am ' + process.env.KEY }] }));
await server.connect(new StdioServerTransport());`;

/** P75 P143 Equal calls of what only reads are made once; nobody gets what is another's. */
let search: CountingServer;
let wire: OpenAiWire;
let slow: Server;
let slowCalls = 0;
let version = 1;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  search = await startCountingServer();
  wire = await startOpenAiWire();
  // An HTTP API, whose operations are tools: it takes its time, and tells who asks.
  slow = createServer((req, res) => {
    if (req.url === '/openapi.json') {
      const responses = { 200: { description: 'ok' } };
      const [get, post] = ['read', 'write'].map((operationId) => ({ operationId, responses }));
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify({
          openapi: '3.1.0',
          info: { title: 's', version: '1' },
          paths: { '/x': { get, post } },
        }),
      );
      return;
    }
    if (req.method === 'POST') {
      res.end(`wrote ${++version}`);
      return;
    }
    slowCalls += 1;
    const seen = version;
    setTimeout(() => res.end(`for ${String(req.headers['x-key'])}, version ${seen}`), 150);
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
      - { name: env, command: node, args: ["--input-type=module", "-e", ${JSON.stringify(STDIO)}], env: { KEY: "{{KEY}}" }, pins: trust }
      - ${api('all', '{ type: header, headers: { X-Key: everybody } }')}
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  cache:
    - { when: { tools: ["*:web-search:*"] }, ttl: 10m }
    - { when: { servers: ["g:shared", "g:each", "g:env", "g:all"] }, ttl: 10m, scope: shared }
    - { when: { servers: ["g:short"] }, ttl: 200ms, maxBytes: 500B }
    - { when: { tools: ["g:named:deleteCollection"] }, ttl: 10m }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(async () => {
  await gateway.stop();
  slow.close();
  await wire.close();
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

  it('is made for who wants none, by MCP of both eras and by the agent; a trace makes it no other', async () => {
    const token = people.tokens['ann'] ?? '';
    const args = { echo: 'by every way' };
    const params = { name: 'listCollections', arguments: args };
    const modern = async (headers: Record<string, string>, meta = {}): Promise<void> => {
      const answer = await askModern(
        { address: gateway.address, token },
        '/mcp/g/web-search',
        'tools/call',
        params,
        {
          headers,
          meta,
        },
      );
      expect(answer.result).toMatchObject({ content: [{ text: 'by every way' }] });
    };
    const legacy = async (headers: Record<string, string>): Promise<void> => {
      const client = new Client({ name: 'c', version: '1' });
      const requestInit = { headers: { authorization: `Bearer ${token}`, ...headers } };
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/g/web-search`), { requestInit }),
      );
      await client.callTool(params);
      await client.close();
    };
    const run = async (headers: Record<string, string>): Promise<void> => {
      wire.reply(
        calls([{ id: 'c', name: 'web-search__listCollections', arguments: JSON.stringify(args) }]),
        says('ok'),
      );
      const body = {
        ...{ model: 'wire/big', stream: false, messages: [{ role: 'user', content: 'go' }] },
        mcp_servers: [{ integration_fqn: 'g:web-search' }],
      };
      const agent = createAgentClient(gateway.address, token);
      const answer = await agent.fetch('/api/llm/agent/responses', {
        method: 'POST',
        body: JSON.stringify(body),
        headers,
      });
      expect(answer.status).toBe(200);
    };
    const made: number[] = [];
    for (const way of [modern, legacy, run])
      for (const headers of [
        {},
        { 'cache-control': 'no-cache' },
        { 'cache-control': 'max-age=0, no-store' },
      ]) {
        await way(headers);
        made.push(search.seen.length);
      }
    expect(made).toEqual([1, 2, 3, 3, 4, 5, 5, 6, 7]);
    for (const trace of ['1', '2'])
      await modern({}, { traceparent: `00-${trace.repeat(32)}-${'1'.repeat(16)}-01` });
    expect(search.seen).toHaveLength(7);
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

  it('of a process with an environment of their own is nobody else’s', async () => {
    const whoami = async (who: string): Promise<string> =>
      JSON.stringify((await call('env', {}, who, 'whoami')).body);
    for (const who of ['ann', 'ben'])
      await people.api(who, 'PUT', '/credentials/g/env', { values: { KEY: `name-${who}` } });
    await vi.waitFor(async () => expect(await whoami('ann')).toContain('I am name-ann'), 10_000);
    await vi.waitFor(async () => expect(await whoami('ben')).toContain('I am name-'), 10_000);
    expect(await whoami('ben')).toContain('I am name-ben');
    expect(await whoami('ann')).toContain('I am name-ann');
  });

  it('is forgotten when the person gives other credentials, or takes them back', async () => {
    const read = async (): Promise<string> => JSON.stringify((await call('each', {}, 'ann', 'read')).body);
    await people.api('ann', 'PUT', '/credentials/g/each', { values: { KEY: 'first' } });
    expect([await read(), await read()]).toEqual([
      expect.stringContaining('for first'),
      expect.stringContaining('for first'),
    ]);
    await people.api('ann', 'PUT', '/credentials/g/each', { values: { KEY: 'second' } });
    expect(await read()).toContain('for second');
    const headers = { authorization: `Bearer ${people.tokens['ann'] ?? ''}` };
    await fetch(`${gateway.address}/api/v1/credentials/g/each`, { method: 'DELETE', headers });
    expect((await call('each', {}, 'ann', 'read')).status).toBe(403);
  });

  it('was not read before something was written', async () => {
    const read = async (): Promise<string> => JSON.stringify((await call('all', {}, 'ann', 'read')).body);
    await call('all', {}, 'ann', 'write');
    slowCalls = 0;
    const early = read();
    await vi.waitFor(() => expect(slowCalls).toBe(1), 10_000);
    const before = version;
    await call('all', {}, 'ann', 'write');
    const after = read();
    expect(await early).toContain(`version ${before}`);
    expect(await after).toContain(`version ${before + 1}`);
    expect(await read()).toContain(`version ${before + 1}`);
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
  await call('all', {}, 'ann', 'write');
  const answers = await Promise.all(Array.from({ length: 50 }, () => call('all', {}, 'ann', 'read')));
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(50).fill(200));
  expect(slowCalls).toBe(1);
});
