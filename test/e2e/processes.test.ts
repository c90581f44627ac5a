import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, it, onTestFinished } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { newToken } from '../../gateway/contract/token.ts';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf } from '../support/configs.ts';
import { PROGRAM, startGateway, type RunningGateway } from '../support/gateway.ts';
import { moodyServer } from '../support/moody-server.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

type Api = Pick<RunningGateway, 'address' | 'token'>;

async function start(config: string, args: readonly string[] = []): Promise<RunningGateway> {
  const gateway = await startGateway({ config, args });
  onTestFinished(async () => {
    await gateway.stop();
  });
  return gateway;
}

async function server({ address, token }: Api, name = 'moody'): Promise<ServerView> {
  const answer = await fetch(`${address}/api/v1/registry`, { headers: { authorization: `Bearer ${token}` } });
  const { groups } = (await answer.json()) as RegistryView;
  return groups.flatMap(({ servers }) => servers).find((view) => view.name === name)!;
}

async function call({ address, token }: Api, name = 'moody', tool = 'ping', args = {}): Promise<number> {
  const answer = await fetch(`${address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server: name, tool, arguments: args }),
  });
  return answer.status;
}

const states = (gateway: Api, name?: string) => async (): Promise<string> =>
  (await server(gateway, name)).state;
const mark = (): string => `toolgate-process-${Math.random().toString(36).slice(2)}`;

it('a server on demand that was listed before starts with the first call, and stops when unused', async () => {
  const data = await mkdtemp(join(tmpdir(), 'toolgate-demand-'));
  const text = mark();
  const moody = await moodyServer();
  const config = configOf({
    common: [
      moody.entry('moody', `, env: { MARK: ${text} }, process: { start: on-demand, idleStop: 1500ms }`),
    ],
  });
  const first = await start(config, ['--data', data]);
  await expect.poll(states(first), { timeout: 20_000 }).toBe('ready');
  await expect.poll(states(first), { timeout: 20_000 }).toBe('stopped');
  await expect.poll(() => processesWith(text)).toEqual([]);
  await first.stop();

  const second = await start(config, ['--data', data]);
  const known = await server(second);
  expect(known).toMatchObject({ state: 'stopped', tools: [{ name: 'ping' }] });
  expect(known.lastError).toBeUndefined();
  expect(processesWith(text)).toEqual([]);
  expect(await call(second)).toBe(200);
  expect(processesWith(text)).toHaveLength(1);
  await expect.poll(states(second), { timeout: 20_000 }).toBe('stopped');
  await expect.poll(() => processesWith(text)).toEqual([]);
  expect(await call(second)).toBe(200);
});

it('one that listens on its own address rests as well, and takes its port again', async () => {
  const port = await freePort();
  const gateway = await start(configOf({ common: [CALCULATOR(port, ', process: { idleStop: 1s }')] }));
  for (let round = 0; round < 2; round++) {
    expect(await call(gateway, 'calculator-mcp', 'add', { a: 1, b: 2 })).toBe(200);
    await expect.poll(states(gateway, 'calculator-mcp'), { timeout: 20_000 }).toBe('stopped');
  }
});

it('P49 processes are kept apart by user or by session where that is configured', async () => {
  const [byUser, bySession, shared] = [mark(), mark(), mark()];
  const moody = await moodyServer();
  const entry = (name: string, text: string, isolation: string): string =>
    moody.entry(name, `, env: { MARK: ${text} }, process: { start: on-demand, isolation: ${isolation} }`);
  const gateway = await start(
    configOf({
      common: [
        entry('user', byUser, 'user'),
        entry('session', bySession, 'session'),
        entry('shared', shared, 'shared'),
      ],
    }),
  );
  for (const name of ['user', 'session', 'shared'])
    await expect.poll(states(gateway, name), { timeout: 20_000 }).toBe('ready');
  const client = async (): Promise<Client> => {
    const one = new Client({ name: 't', version: '1' });
    const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
    const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/common`), {
      requestInit,
    });
    await one.connect(transport);
    onTestFinished(() => one.close());
    return one;
  };
  const clients = [await client(), await client()];
  for (const one of clients)
    for (const name of ['user', 'session', 'shared'])
      expect(JSON.stringify(await one.callTool({ name: `${name}__ping` }))).toContain('ping');
  // Beside the one that listed it: one for the user, one for each session, none where it is shared.
  expect(processesWith(byUser)).toHaveLength(2);
  expect(processesWith(bySession)).toHaveLength(3);
  expect(processesWith(shared)).toHaveLength(1);
  await gateway.stop();
  for (const text of [byUser, bySession, shared]) expect(processesWith(text)).toEqual([]);
});

it('a configuration that cannot be meant is refused', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-test-')), 'toolgate.yaml');
  await writeFile(
    file,
    configOf({
      common: [
        '{ name: remote, url: "https://example.com/mcp", process: { start: always } }',
        '{ name: odd, command: node, process: { idleStop: sometimes } }',
        '{ name: both, command: node, url: "http://127.0.0.1:1/mcp", process: { isolation: session } }',
      ],
    }),
  );
  const { code, stderr } = await toolgate(['validate', '--config', file]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('servers[0].process: process needs a command');
  expect(stderr).toContain('servers[1].process.idleStop: write never, or a duration');
  expect(stderr).toContain('isolation must be shared');
});

/** A home whose login shell finds a program that the gateway's own `PATH` lacks. */
async function homeWith(program: string): Promise<NodeJS.ProcessEnv> {
  const home = await mkdtemp(join(tmpdir(), 'toolgate-home-'));
  await mkdir(join(home, 'bin'));
  await symlink(process.execPath, join(home, 'bin', program));
  await writeFile(join(home, '.profile'), `echo greetings; export PATH="${home}/bin:$PATH"\n`);
  return { HOME: home, SHELL: '/bin/bash', PATH: '/usr/bin:/bin' };
}

it('finds a command on the PATH of the login shell, when it is embedded', async () => {
  const env = await homeWith('node-of-the-shell');
  const moody = await moodyServer();
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-test-'));
  const configFile = join(folder, 'toolgate.yaml');
  await writeFile(
    configFile,
    configOf({
      common: [
        moody.entry('moody').replace('command: node,', 'command: node-of-the-shell,'),
        '{ name: missing, command: no-such-program-anywhere }',
      ],
    }),
  );
  const child = fork(PROGRAM, ['serve', '--ipc'], { env, silent: true });
  onTestFinished(() => void child.kill());
  const token = newToken('pat', randomBytes(32));
  const address = new Promise<string>((resolve, reject) => {
    child.on('message', (message: { type: string; address?: string; message?: string }) => {
      if (message.address !== undefined) resolve(message.address);
      else reject(new Error(message.message));
    });
  });
  const dataDir = join(folder, 'data');
  child.send({
    type: 'start',
    configFile,
    dataDir,
    port: 0,
    ownerToken: token,
    secrets: {},
    logLevel: 'error',
  });
  const gateway = { address: await address, token };
  expect(await call(gateway)).toBe(200);
  await expect.poll(states(gateway, 'missing'), { timeout: 20_000 }).toBe('failed');
  const missing = await server(gateway, 'missing');
  expect(missing.lastError).toContain('was not found on the PATH');
  expect(missing.stderrTail.at(-1)).toContain(`PATH=${env['HOME']}/bin:`);
});

it('does not run the login shell headless, unless it is told to', async () => {
  const env = await homeWith('node-of-the-shell');
  const moody = await moodyServer();
  const config = configOf({
    common: [moody.entry('moody').replace('command: node,', 'command: node-of-the-shell,')],
  });
  const plain = await startGateway({ config, env: env as Record<string, string> });
  onTestFinished(async () => {
    await plain.stop();
  });
  await expect.poll(states(plain), { timeout: 20_000 }).toBe('failed');
  const told = await startGateway({ config, env: env as Record<string, string>, args: ['--login-path'] });
  onTestFinished(async () => {
    await told.stop();
  });
  await expect.poll(states(told), { timeout: 20_000 }).toBe('ready');
});

it('tells why a server failed, also while the login shell hangs', async () => {
  const env = await homeWith('node-of-the-shell');
  await writeFile(join(String(env['HOME']), '.profile'), "trap '' TERM; sleep 60\n");
  const config = configOf({ common: ['{ name: missing, command: no-such-program-anywhere }'] });
  const gateway = await startGateway({ config, env: env as Record<string, string>, args: ['--login-path'] });
  onTestFinished(async () => {
    await gateway.stop();
  });
  await expect.poll(states(gateway, 'missing'), { timeout: 20_000 }).toBe('failed');
  const missing = await server(gateway, 'missing');
  expect(missing.lastError).toContain('"no-such-program-anywhere" was not found on the PATH');
});
