import { request } from 'node:http';
import { join } from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { FIXTURE } from '../conformance/fixture.ts';
import { toolgate } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { ROOT, startGateway } from '../support/gateway.ts';
import { connectSse } from '../support/legacy-sse.ts';
import { processesWith } from '../support/processes.ts';
import { startWrap, type RunningWrap } from '../support/wrap.ts';

const EVERYTHING = [
  process.execPath,
  join(ROOT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
  'stdio',
];
let mark = '';

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await expect.poll(() => processesWith(mark), { timeout: 10_000 }).toEqual([]);
});

async function start(
  flags: readonly string[] = [],
  command: readonly string[] = EVERYTHING,
): Promise<RunningWrap> {
  mark = `toolgate-wrap-${Math.random().toString(36).slice(2)}`;
  return startWrap([...flags, ...command], { MARK: mark });
}

/** The servers that run, wrapper and reaper aside. */
const servers = (): number => processesWith(mark).filter((pid) => pid !== wrapPid()).length - 1;
const wrapPid = (): number => running?.pid ?? 0;
let running: RunningWrap | undefined;

function sampling(): Client {
  const client = new Client({ name: 't', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled answer' },
  }));
  return client;
}

async function connect(
  wrap: RunningWrap,
  client = sampling(),
  headers: Record<string, string> = {},
): Promise<Client> {
  const transport = new StreamableHTTPClientTransport(new URL(`${wrap.address}/mcp`), {
    requestInit: { headers },
  });
  await client.connect(transport);
  return client;
}

async function use(client: Client): Promise<void> {
  expect((await client.listTools()).tools.length).toBeGreaterThan(5);
  const echo = await client.callTool({ name: 'echo', arguments: { message: 'wrapped' } });
  expect(JSON.stringify(echo.content)).toContain('wrapped');
  const progress: number[] = [];
  await client.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 0.4, steps: 2 } },
    undefined,
    { onprogress: ({ progress: at }) => progress.push(at) },
  );
  // Of what comes together with the result the SDK drops the last.
  expect(progress[0]).toBe(1);
}

const sample = { name: 'trigger-sampling-request', arguments: { prompt: 'p', maxTokens: 10 } };

it('P148 serves a stdio server over Streamable HTTP, a process for each client, questions included', async () => {
  running = await start(['--server', 'stream']);
  const [one, other] = await Promise.all([connect(running), connect(running)]);
  expect(servers()).toBe(2);
  await use(one);
  expect(JSON.stringify(await other.callTool(sample))).toContain('sampled answer');
  const transport = one.transport as StreamableHTTPClientTransport;
  const ended = transport.sessionId ?? '';
  await transport.terminateSession();
  await expect.poll(servers, { timeout: 10_000 }).toBe(1);
  const late = await fetch(`${running.address}/mcp`, {
    method: 'POST',
    headers: { 'mcp-session-id': ended },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
  });
  expect(late.status).toBe(404);
  expect((await fetch(`${running.address}/sse`)).status).toBe(404);
  expect(await running.stop()).toBe(0);
  expect(processesWith(mark)).toEqual([]);
});

it('P24 serves it over HTTP+SSE as well, for clients of 2024', async () => {
  running = await start();
  const client = sampling();
  await connectSse(client, `${running.address}/sse`, {});
  await use(client);
  expect(JSON.stringify(await client.callTool(sample))).toContain('sampled answer');
  expect(servers()).toBe(1);
  await client.close();
  await expect.poll(servers, { timeout: 10_000 }).toBe(0);
});

it('the client of the second SDK finds its way, by the handshake and by negotiation', async () => {
  running = await start();
  for (const mode of ['legacy', 'auto'] as const) {
    const client = new ModernClient({ name: 't', version: '2' }, { versionNegotiation: { mode } });
    await client.connect(new ModernTransport(new URL(`${running.address}/mcp`)));
    const echo = await client.callTool({ name: 'echo', arguments: { message: mode } });
    expect(JSON.stringify(echo.content)).toContain(mode);
    await client.close();
  }
});

it('clients of 2026 use a server of 2026 as it is, one process for all of them', async () => {
  running = await start(['--server', 'stream'], [process.execPath, FIXTURE]);
  const open = async (): Promise<ModernClient> => {
    const client = new ModernClient({ name: 't', version: '2' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new ModernTransport(new URL(`${running!.address}/mcp`)));
    return client;
  };
  const clients = await Promise.all([open(), open(), open()]);
  for (const client of clients) expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
  const results = await Promise.all(
    clients.map(async (client) => {
      const progress: number[] = [];
      const onprogress = ({ progress: at }: { progress: number }): void => void progress.push(at);
      await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress });
      const answer = await client.callTool({ name: 'test_simple_text', arguments: {} });
      return { progress, text: JSON.stringify(answer.content) };
    }),
  );
  for (const { progress, text } of results) {
    expect(progress.slice(0, 2)).toEqual([0, 50]);
    expect(text).toContain('simple text');
  }
  expect(servers()).toBe(1);
  await Promise.all(clients.map((client) => client.close()));
});

it('P154 once wrapped, a server is registered like any other', async () => {
  running = await start(['--server', 'stream', '--apiKey', 'key-1']);
  const gateway = await startGateway({
    config: configOf({
      common: [
        `{ name: wrapped, url: "${running.address}/mcp", allowPrivateAddress: true, auth: { type: header, headers: { X-API-Key: key-1 } } }`,
      ],
    }),
  });
  onTestFinished(async () => {
    await gateway.stop();
  });
  const client = sampling();
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/common/wrapped`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  await use(client);
  expect(JSON.stringify(await client.callTool(sample))).toContain('sampled answer');
  await client.close();
});

it('with --stateless one process serves all, without sessions', async () => {
  running = await start(['--stateless', '--server', 'stream']);
  const clients = await Promise.all([connect(running), connect(running), connect(running)]);
  await Promise.all(clients.map(use));
  expect((clients[0].transport as StreamableHTTPClientTransport).sessionId).toBeUndefined();
  expect(servers()).toBe(1);
});

it('asks for the API key, but not for its health; and refuses other names and origins', async () => {
  running = await start(['--apiKey', 'key-1']);
  const { address } = running;
  expect(await (await fetch(`${address}/ping`)).text()).toBe('pong');
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${address}/mcp`, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' });
  expect((await post({})).status).toBe(401);
  expect((await post({ 'x-api-key': 'key-2' })).status).toBe(401);
  expect((await fetch(`${address}/sse`)).status).toBe(401);
  expect((await post({ 'x-api-key': 'key-1' })).status).toBe(400);
  expect((await post({ authorization: 'Bearer key-1' })).status).toBe(400);
  expect((await post({ 'x-api-key': 'key-1', origin: 'http://evil.example' })).status).toBe(403);
  expect(await statusAs(`${address}/healthz`, 'evil.example')).toBe(403);
  expect(servers()).toBe(0);
});

it('warns when everyone can reach it without a key, and answers to any name there', async () => {
  running = await start(['--host', '0.0.0.0', '--server', 'stream']);
  const { output, address } = running;
  await expect.poll(output).toContain('anyone who reaches 0.0.0.0 can use this server');
  expect(await statusAs(`${address}/healthz`, 'my-server.default.svc')).toBe(200);
});

it('says that its command cannot be started', async () => {
  running = await start([], ['no-such-program-anywhere']);
  await expect(connect(running)).rejects.toThrow('no-such-program-anywhere\\" was not found on the PATH');
});

it('lets go of idle sessions, and makes room for new ones', async () => {
  running = await start(['--maxSessions', '1', '--sessionIdleTimeout', '1000', '--server', 'stream']);
  // Without its stream a session is idle as soon as nothing is asked.
  const open = (): Promise<Response> =>
    fetch(`${running!.address}/mcp`, {
      method: 'POST',
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
      }),
    });
  const first = await open();
  expect(first.status).toBe(200);
  const second = await open();
  expect(second.status).toBe(200);
  expect(second.headers.get('mcp-session-id')).not.toBe(first.headers.get('mcp-session-id'));
  await expect.poll(servers, { timeout: 20_000 }).toBe(0);
});

it('answers what is under way before it stops, and takes wrappers’ children along', async () => {
  running = await start([], ['sh', '-c', `${EVERYTHING.map((part) => `"${part}"`).join(' ')}; true`]);
  const client = await connect(running);
  let reached = 0;
  const call = client.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 2, steps: 4 } },
    undefined,
    { onprogress: () => reached++ },
  );
  await expect.poll(() => reached).toBeGreaterThan(0);
  const [, code] = await Promise.all([call, running.stop()]);
  expect(code).toBe(0);
  expect(JSON.stringify(await call)).toContain('completed');
});

it('leaves no process behind when it is killed', async () => {
  running = await start();
  await connect(running);
  expect(servers()).toBe(1);
  running.kill();
  await expect.poll(() => processesWith(mark), { timeout: 10_000 }).toEqual([]);
});

it('names what it does not support, and what to do instead', async () => {
  for (const flags of [['--tunnel'], ['--sslKey', 'k.pem'], ['--no-eventStore']]) {
    const { code, stderr } = await toolgate(['wrap', ...flags, 'node']);
    expect(code).toBe(2);
    expect(stderr).toContain('not supported');
  }
  const { stderr } = await toolgate(['wrap', '--endpoint', '/x', 'node']);
  expect(stderr).toContain('--endpoint needs --server');
});

function statusAs(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (res) => {
      res.resume();
      resolve(res.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
