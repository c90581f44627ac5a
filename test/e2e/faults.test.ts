import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { configOf } from '../support/configs.ts';
import { faultyServer, type Fault } from '../support/faulty-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { moodyServer } from '../support/moody-server.ts';

/** One gateway for all faults, one after another: each has to leave it as it was. */
let gateway: RunningGateway;
let stubborn: HttpServer;
const MB = 1024 * 1024;

beforeAll(async () => {
  const entry = await faultyServer();
  stubborn = await httpServer();
  const faults: Fault[] = ['die', 'flood', 'huge', 'broken', 'cycle', 'endless'];
  gateway = await startGateway({
    config: configOf({
      common: [
        (await moodyServer()).entry('healthy'),
        entry('hang', ', timeouts: { connect: 3s }'),
        entry('silent', ', timeouts: { call: 1s }'),
        ...faults.map((fault) => entry(fault)),
        `{ name: streamable, url: "${stubborn.url}/mcp", allowPrivateAddress: true }`,
        `{ name: legacy, url: "${stubborn.url}/sse", transport: sse, allowPrivateAddress: true }`,
      ],
    }),
  });
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
  stubborn.close();
});

/** After each fault the gateway lives, the healthy server's lists and calls answer, and memory is bounded. */
afterEach(async () => {
  expect((await fetch(`${gateway.address}/healthz`)).status).toBe(200);
  const client = new Client({ name: 't', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
  const url = new URL(`${gateway.address}/mcp/common`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('healthy__ping');
  await client.close();
  expect(await call('healthy', 'ping')).toMatchObject({ status: 200 });
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8')) ?? [];
  expect(Number(peak) * 1024).toBeLessThan(900 * MB);
});

async function servers(): Promise<ServerView[]> {
  const answer = await fetch(`${gateway.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  return ((await answer.json()) as RegistryView).groups.flatMap((group) => group.servers);
}

async function server(name: string): Promise<ServerView> {
  return (await servers()).find((view) => view.name === name)!;
}

async function call(name: string, tool = 'go'): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server: name, tool, arguments: {} }),
  });
  return { status: answer.status, text: await answer.text() };
}

const state = (name: string) => async (): Promise<string> => (await server(name)).state;

it('a server that hangs at its start is failed, with the time it had', async () => {
  await expect.poll(state('hang'), { timeout: 20_000 }).toBe('failed');
  expect((await server('hang')).lastError).toContain('did not answer within 3 s of its start');
});

it('a server that dies in a call fails that call in words, and heals', async () => {
  const { status, text } = await call('die');
  expect(status).toBe(502);
  expect(text).toContain("the server's process exited with code 9");
  await expect.poll(state('die'), { timeout: 20_000 }).toBe('ready');
});

it('a server that answers no call ends in a timeout', async () => {
  const { status, text } = await call('silent');
  expect(status).toBe(504);
  expect(text).toContain('timeouts.call');
  expect((await server('silent')).state).toBe('ready');
});

it('a server that floods its standard error is called all the same, and little of it is kept', async () => {
  expect(await call('flood')).toMatchObject({ status: 200 });
  const { stderrTail } = await server('flood');
  expect(stderrTail.length).toBeLessThanOrEqual(20);
  expect(Math.max(...stderrTail.map(({ length }) => length))).toBeLessThanOrEqual(2_000);
});

it('a server that sends 200 MB in a line is cut off, in words', async () => {
  const { status, text } = await call('huge');
  expect(status).toBe(502);
  expect(text).toContain('over 128 MB');
  await expect.poll(state('huge'), { timeout: 20_000 }).toBe('ready');
});

it('a server that prints broken JSON is called all the same, and what it printed can be read', async () => {
  expect(await call('broken')).toMatchObject({ status: 200 });
  const { stderrTail } = await server('broken');
  expect(
    stderrTail.some((line) => line.includes('(not a message on its output)') && line.includes('Welcome!')),
  ).toBe(true);
});

it('a server whose pages never end is degraded, with the reason, and does not run for ever', async () => {
  await expect.poll(state('cycle'), { timeout: 20_000 }).toBe('degraded');
  expect((await server('cycle')).lastError).toContain('repeated a cursor');
  await expect.poll(state('endless'), { timeout: 20_000 }).toBe('degraded');
  expect((await server('endless')).lastError).toMatch(/over \d+ pages/);
});

it('a server that forgets its sessions is given a new one, and no call is lost', async () => {
  expect(await call('streamable')).toMatchObject({ status: 200 });
  stubborn.forget();
  expect(await call('streamable')).toMatchObject({ status: 200 });
});

it('200 MB over HTTP are cut off, as JSON, as an event stream, and over HTTP+SSE', async () => {
  for (const [name, how] of [
    ['streamable', 'json'],
    ['streamable', 'event'],
    ['legacy', 'event'],
  ] as const) {
    stubborn.huge = how;
    const { status, text } = await call(name);
    stubborn.huge = undefined;
    expect(status, `${name} ${how}`).toBe(502);
    expect(text, `${name} ${how}`).toMatch(/over (128 MB|134217728 bytes)/);
    await expect.poll(async () => (await call(name)).status, { timeout: 20_000 }).toBe(200);
  }
});

interface HttpServer {
  readonly url: string;
  /** How the next call is answered with 200 MB. */
  huge: 'json' | 'event' | undefined;
  /** Forgets all sessions, as a restart does. */
  forget(): void;
  close(): void;
}

/** A server over Streamable HTTP at `/mcp` and HTTP+SSE at `/sse`. */
async function httpServer(): Promise<HttpServer> {
  const sessions = new Set<string>();
  const streams: ServerResponse[] = [];
  const answers: Record<string, object> = {
    initialize: {
      protocolVersion: '2025-11-25',
      serverInfo: { name: 'http', version: '1' },
      capabilities: { tools: {} },
    },
    'tools/list': { tools: [{ name: 'go', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text: 'done' }] },
  };
  const http = createServer((req, res) => {
    const sse = req.url?.startsWith('/sse') === true;
    if (req.method === 'GET' && sse) {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('event: endpoint\ndata: /sse-post\n\n');
      streams.push(res);
      return;
    }
    if (req.method !== 'POST') return void res.writeHead(405).end();
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      const { id, method } = JSON.parse(body) as { id?: number; method: string };
      const result = answers[method];
      const text = JSON.stringify(
        result === undefined
          ? { jsonrpc: '2.0', id, error: { code: -32601, message: 'method not found' } }
          : { jsonrpc: '2.0', id, result },
      );
      const huge = method === 'tools/call' ? world.huge : undefined;
      if (sse) {
        res.writeHead(202).end();
        const stream = streams.at(-1)!;
        if (huge !== undefined) void pour(stream, 'data: ');
        else if (id !== undefined) stream.write(`event: message\ndata: ${text}\n\n`);
        return;
      }
      const session = req.headers['mcp-session-id'] as string | undefined;
      if (method === 'initialize') {
        const fresh = `s${Math.random()}`;
        sessions.add(fresh);
        res.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': fresh }).end(text);
      } else if (session === undefined && method !== 'server/discover') res.writeHead(400).end();
      else if (session !== undefined && !sessions.has(session)) res.writeHead(404).end();
      else if (id === undefined) res.writeHead(202).end();
      else if (huge !== undefined) {
        res.writeHead(200, { 'content-type': huge === 'json' ? 'application/json' : 'text/event-stream' });
        void pour(res, huge === 'json' ? '{"x":"' : 'data: ');
      } else res.writeHead(200, { 'content-type': 'application/json' }).end(text);
    });
  });
  const pour = async (res: ServerResponse, start: string): Promise<void> => {
    res.write(start);
    const piece = 'x'.repeat(MB);
    for (let at = 0; at < 200 && !res.destroyed; at++)
      if (!res.write(piece))
        await new Promise<void>((done) => {
          res.once('drain', done);
          res.once('close', done);
        });
    res.end();
  };
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const world: HttpServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    huge: undefined,
    forget: () => sessions.clear(),
    close: () => {
      http.close();
      http.closeAllConnections();
    },
  };
  return world;
}
