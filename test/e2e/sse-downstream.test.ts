import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  CreateMessageRequestSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { connectSse } from '../support/legacy-sse.ts';
import { moodyServer, type MoodyServer } from '../support/moody-server.ts';

let gateway: RunningGateway;
let moody: MoodyServer;

beforeAll(async () => {
  moody = await moodyServer();
  const denied = `, tools: [{ match: get-env, effect: deny }] }`;
  gateway = await startGateway({
    config: configOf({
      common: [EVERYTHING.replace(/ \}$/, denied)],
      other: [moody.entry('moody', ', pins: trust')],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
});

const bearer = (token = gateway.token): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function connect(path: string, token?: string): Promise<Client> {
  const client = new Client({ name: 't', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled answer' },
  }));
  await connectSse(client, gateway.address + path, bearer(token));
  onTestFinished(() => client.close());
  return client;
}

it('P24 the SDK’s client of 2024 uses a server as it is, questions and progress included', async () => {
  const client = await connect('/sse/common/everything-mcp');
  expect(client.getServerVersion()?.name).toContain('everything');
  const echo = await client.callTool({ name: 'echo', arguments: { message: 'over sse' } });
  expect(JSON.stringify(echo.content)).toContain('over sse');
  const progress: number[] = [];
  await client.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 0.4, steps: 2 } },
    undefined,
    { onprogress: ({ progress: at }) => progress.push(at) },
  );
  expect(progress[0]).toBe(1);
  const sampled = await client.callTool({
    name: 'trigger-sampling-request',
    arguments: { prompt: 'p', maxTokens: 10 },
  });
  expect(JSON.stringify(sampled)).toContain('sampled answer');
});

it('what is denied is neither listed nor called this way either', async () => {
  const client = await connect('/sse/common');
  const names = (await client.listTools()).tools.map(({ name }) => name);
  expect(names).toContain('everything-mcp__echo');
  expect(names).not.toContain('everything-mcp__get-env');
  await expect(client.callTool({ name: 'everything-mcp__get-env' })).rejects.toThrow('Unknown tool');
});

it('aggregates announce on the stream that their lists changed', async () => {
  const client = await connect('/sse');
  const changed = new Promise<void>((done) => {
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => done());
  });
  await client.listTools();
  await moody.set({ tools: { ping: {}, pong: {} } });
  await fetch(`${gateway.address}/api/v1/registry/refresh`, { method: 'POST', headers: bearer() });
  // The next start lists the new tool.
  await restartMoody();
  await changed;
  await expect
    .poll(async () => (await client.listTools()).tools.map(({ name }) => name))
    .toContain('moody__pong');
});

async function restartMoody(): Promise<void> {
  const { processesWith } = await import('../support/processes.ts');
  const file = /args: \["([^"]+)"/.exec(moody.entry('x'))?.[1] ?? '';
  for (const pid of processesWith(file)) if (pid !== gateway.pid) process.kill(pid, 'SIGKILL');
}

it('a session is its token’s and its address’s alone, and needs a token', async () => {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const stream = await fetch(`${gateway.address}/sse/common`, {
    headers: bearer(),
    signal: controller.signal,
  });
  const first = await stream.body!.getReader().read();
  const endpoint = /data: (\S+)/.exec(Buffer.from(first.value!).toString())?.[1] ?? '';
  expect(endpoint).toMatch(/^\/sse\/common\?sessionId=[\w-]{32}$/);
  const { stdout } = await toolgate([
    'token',
    'create',
    '--name',
    'other',
    '--json',
    '--config',
    gateway.configFile,
    '--data',
    gateway.dataDir,
  ]);
  const other = (JSON.parse(stdout) as { token: string }).token;
  const post = async (path: string, headers: Record<string, string>): Promise<number> => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2024-11-05' },
    });
    return (await fetch(gateway.address + path, { method: 'POST', headers, body })).status;
  };
  expect(await post(endpoint, {})).toBe(401);
  expect(await post(endpoint, bearer(other))).toBe(404);
  expect(await post(endpoint.replace('/common', '/other'), bearer())).toBe(404);
  expect(await post('/sse/common?sessionId=guess', bearer())).toBe(404);
  expect(await post(endpoint, bearer())).toBe(202);
  expect((await fetch(`${gateway.address}/sse`)).status).toBe(401);
  expect((await fetch(`${gateway.address}/sse/nowhere`, { headers: bearer() })).status).toBe(404);
});
