import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { expect, it, onTestFinished } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { configOf, EVERYTHING } from '../support/configs.ts';
import { serveSse, type SseSession } from '../support/legacy-sse.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

async function start(servers: readonly string[]): Promise<RunningGateway> {
  const gateway = await startGateway({ config: configOf({ common: servers }) });
  onTestFinished(async () => {
    await gateway.stop();
  });
  return gateway;
}

async function server(gateway: RunningGateway, name: string): Promise<ServerView> {
  const answer = await fetch(`${gateway.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { groups } = (await answer.json()) as RegistryView;
  return groups.flatMap(({ servers }) => servers).find((view) => view.name === name)!;
}

async function connect(gateway: RunningGateway, path: string, client: Client): Promise<Client> {
  const headers = { authorization: `Bearer ${gateway.token}` };
  const transport = new StreamableHTTPClientTransport(new URL(gateway.address + path), {
    requestInit: { headers },
  });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const state = async (gateway: RunningGateway, name: string): Promise<string> =>
  (await server(gateway, name)).state;

it('P24 the everything server in its sse mode is listed, called, and asks its client back', async () => {
  const port = await freePort();
  const entry = EVERYTHING.replace(', stdio]', ', sse]').replace(
    / \}$/,
    `, url: "http://127.0.0.1:${port}/sse", transport: sse, allowPrivateAddress: true, env: { PORT: "${port}" } }`,
  );
  const gateway = await start([entry]);
  await expect.poll(() => state(gateway, 'everything-mcp'), { timeout: 20_000 }).toBe('ready');
  expect((await server(gateway, 'everything-mcp')).transport).toBe('sse');
  const client = new Client({ name: 't', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled answer' },
  }));
  await connect(gateway, '/mcp/common/everything-mcp', client);
  const echo = await client.callTool({ name: 'echo', arguments: { message: 'over sse' } });
  expect(JSON.stringify(echo.content)).toContain('over sse');
  const progress: number[] = [];
  await client.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 0.4, steps: 2 } },
    undefined,
    { onprogress: ({ progress: at }) => progress.push(at) },
  );
  expect(progress).toEqual([1, 2]);
  const sampled = await client.callTool({
    name: 'trigger-sampling-request',
    arguments: { prompt: 'p', maxTokens: 10 },
  });
  expect(JSON.stringify(sampled)).toContain('sampled answer');
});

it('a server of the SDK whose stream breaks is failed in words, and healed by a new session', async () => {
  const transports = new Map<string, SseSession>();
  const sockets = new Set<ServerResponse>();
  const seen: (string | undefined)[] = [];
  const http = createServer((req, res) => {
    seen.push(req.headers['x-key'] as string | undefined);
    const url = new URL(req.url ?? '/', 'http://local');
    if (req.method === 'GET') {
      sockets.add(res);
      const mcp = new McpServer({ name: 'sse', version: '1' });
      mcp.registerTool('ping', {}, () => ({ content: [{ type: 'text', text: 'pong' }] }));
      const session = serveSse(mcp, '/messages', res);
      transports.set(session.sessionId, session);
    } else void transports.get(url.searchParams.get('sessionId') ?? '')?.post(req, res);
  });
  const port = await listen(http);
  const gateway = await start([
    `{ name: old, url: "http://127.0.0.1:${port}/sse", transport: sse, allowPrivateAddress: true, auth: { type: header, headers: { X-Key: k1 } } }`,
  ]);
  const client = await connect(gateway, '/mcp/common/old', new Client({ name: 't', version: '1' }));
  const ping = async (): Promise<string> => JSON.stringify(await client.callTool({ name: 'ping' }));
  expect(await ping()).toContain('pong');
  const before = transports.size;
  for (const res of sockets) res.destroy();
  await expect.poll(() => state(gateway, 'old')).not.toBe('ready');
  await expect.poll(() => state(gateway, 'old'), { timeout: 20_000 }).toBe('ready');
  expect(transports.size).toBeGreaterThan(before);
  expect(await ping()).toContain('pong');
  expect(new Set(seen)).toEqual(new Set(['k1']));
});

it('credentials do not follow a server that names an endpoint of another origin', async () => {
  let posts = 0;
  const other = await listen(
    createServer((_req, res) => {
      posts++;
      res.writeHead(202).end();
    }),
  );
  const port = await listen(
    createServer((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(`event: endpoint\ndata: http://127.0.0.1:${other}/messages?sessionId=1\n\n`);
    }),
  );
  const gateway = await start([
    `{ name: luring, url: "http://127.0.0.1:${port}/sse", transport: sse, allowPrivateAddress: true }`,
    `{ name: unasked, url: "http://127.0.0.1:${port}/sse", transport: sse }`,
  ]);
  await expect.poll(() => state(gateway, 'luring')).toBe('failed');
  expect((await server(gateway, 'luring')).lastError).toContain('not of its own origin');
  expect((await server(gateway, 'unasked')).lastError).toContain('allowPrivateAddress');
  expect(posts).toBe(0);
});

it('a Streamable HTTP server registered as sse says what to change', async () => {
  const port = await listen(createServer((_req, res) => res.writeHead(405).end()));
  const gateway = await start([
    `{ name: wrong, url: "http://127.0.0.1:${port}/mcp", transport: sse, allowPrivateAddress: true }`,
  ]);
  await expect.poll(() => state(gateway, 'wrong')).toBe('failed');
  expect((await server(gateway, 'wrong')).lastError).toContain('transport: streamable-http');
});
