import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { moodyServer } from '../support/moody-server.ts';

/** The data folder that the gateways of one test share, one after another. */
let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'toolgate-catalog-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
});

/** Runs a gateway on the test's data folder; `stop` may be called before the test's end. */
async function start(config: string): Promise<RunningGateway> {
  const gateway = await startGateway({ config, args: ['--data', data] });
  onTestFinished(async () => {
    await gateway.stop();
  });
  return gateway;
}

async function server(gateway: RunningGateway, name = 'moody'): Promise<ServerView> {
  const answer = await fetch(`${gateway.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { groups } = (await answer.json()) as RegistryView;
  return groups.flatMap(({ servers }) => servers).find((view) => view.name === name)!;
}

/** Runs a gateway until all that its server lists has been kept. */
async function learn(config: string): Promise<void> {
  const gateway = await start(config);
  await expect.poll(async () => (await server(gateway)).state, { timeout: 10_000 }).toBe('ready');
  expect(await gateway.stop()).toBe(0);
}

async function connect(gateway: RunningGateway, path = '/mcp'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  onTestFinished(() => client.close());
  return client;
}

function call(gateway: RunningGateway, tool: string): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server: 'moody', tool }),
  });
}

it('P177 lists a server that is still starting as it was last known, and a call waits for it', async () => {
  const moody = await moodyServer();
  const config = configOf({ common: [moody.entry('moody', ', pins: trust')] });
  await learn(config);
  await moody.set({ delayMs: 3_000, tools: { ping: {}, pong: {} } });

  const gateway = await start(config);
  const began = performance.now();
  const client = await connect(gateway, '/mcp/common/moody');
  expect(client.getServerVersion()?.name).toBe('moody');
  expect(client.getInstructions()).toBe('Be patient.');
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['ping']);
  const aggregate = await connect(gateway);
  expect((await aggregate.listTools()).tools.map(({ name }) => name)).toEqual(['moody__ping']);
  expect(performance.now() - began).toBeLessThan(2_000);
  const known = await server(gateway);
  expect(known).toMatchObject({ state: 'starting', serverInfo: { name: 'moody' } });
  expect(Date.parse(known.listedAt!)).toBeLessThan(Date.now() - (performance.now() - began));

  expect(await client.callTool({ name: 'ping' })).toMatchObject({ content: [{ text: 'ping' }] });
  expect((await server(gateway)).state).toBe('ready');
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['ping', 'pong']);
});

it('waits for a server that was never listed, and for a tool that was not known', async () => {
  const moody = await moodyServer({ delayMs: 1_000 });
  const config = configOf({ common: [moody.entry('moody', ', pins: trust')] });
  const first = await start(config);
  expect((await (await connect(first)).listTools()).tools.map(({ name }) => name)).toEqual(['moody__ping']);
  await first.stop();
  await moody.set({ delayMs: 1_500, tools: { pong: {} } });
  const second = await start(config);
  const client = await connect(second);
  const [called, ran] = await Promise.all([
    client.callTool({ name: 'moody__pong' }),
    fetch(`${second.address}/api/llm/agent/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${second.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'demo/planner',
        messages: [{ role: 'user', content: 'Hello' }],
        mcp_servers: [{ integration_fqn: 'common:moody', tools: [{ name: 'pong' }] }],
      }),
    }),
  ]);
  expect(called).toMatchObject({ content: [{ text: 'pong' }] });
  expect(ran.status, await ran.text()).toBe(200);
});

it('lists a server that fails as it was last known, and says of a call why it cannot be made', async () => {
  const moody = await moodyServer();
  const config = configOf({ common: [moody.entry('moody')] });
  await learn(config);
  await moody.set({ exitCode: 7 });
  const gateway = await start(config);
  await expect.poll(async () => (await server(gateway)).state, { timeout: 10_000 }).toBe('failed');
  const failed = await server(gateway);
  expect(failed.lastError).toContain('exited with code 7');
  expect(failed.tools.map(({ name }) => name)).toEqual(['ping']);
  const refused = await call(gateway, 'ping');
  expect(refused.status).toBe(502);
  expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('exited with code 7') });
});

it('judges a call that waited for its server by what the server offers then', async () => {
  const moody = await moodyServer({ tools: { wipe: { readOnlyHint: true } } });
  const config = configOf({
    common: [moody.entry('moody', ', tools: [{ match: "@destructive", effect: deny }]')],
  });
  await learn(config);
  await moody.set({ delayMs: 1_500, tools: { wipe: { destructiveHint: true } } });
  const gateway = await start(config);
  expect((await server(gateway)).tools.map(({ name }) => name)).toEqual(['wipe']);
  const refused = await call(gateway, 'wipe');
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({
    detail: 'there is no tool wipe',
    rule: 'groups[0].servers[0].tools[0]',
  });
  expect((await server(gateway)).tools).toEqual([]);
});

it('never shows one registration with what another listed', async () => {
  const moody = await moodyServer();
  await learn(configOf({ common: [moody.entry('moody')] }));
  const other = await moodyServer({ delayMs: 2_000, tools: { other: {} } });
  const gateway = await start(configOf({ common: [other.entry('moody')] }));
  const starting = await server(gateway);
  expect(starting).toMatchObject({ state: 'starting', tools: [] });
  expect(starting.listedAt).toBeUndefined();
  await expect
    .poll(async () => (await server(gateway)).tools.map(({ name }) => name), { timeout: 10_000 })
    .toEqual(['other']);
});

it('keeps it for the owner’s eyes, and goes on without a file that is damaged', async () => {
  const moody = await moodyServer();
  const config = configOf({ common: [moody.entry('moody')] });
  await learn(config);
  const folder = join(data, 'catalog');
  const [name, ...more] = await readdir(folder);
  expect(more).toEqual([]);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, name!))).mode & 0o777).toBe(0o600);

  await writeFile(join(folder, name!), '{"version":1,"server":');
  const gateway = await start(config);
  await expect.poll(async () => (await server(gateway)).state, { timeout: 10_000 }).toBe('ready');
  expect(gateway.output()).toContain('common:moody will be listed anew');
  await gateway.stop();
  await moody.set({ delayMs: 2_000 });
  expect((await server(await start(config))).tools.map((tool) => tool.name)).toEqual(['ping']);
});
