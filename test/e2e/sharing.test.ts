import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { childMessageSchema, type ChildMessage } from '../../gateway/contract/ipc.ts';
import { newToken } from '../../gateway/contract/token.ts';
import { configOf, MEMORY } from '../support/configs.ts';
import { PROGRAM } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

/** The gateway as windows start it, several at a time. */
const OWNER = newToken('pat', randomBytes(32));
const PATIENCE = { timeout: 20_000 };

let dir: string;
let port: number;
let mark: string;
let windows: ChildProcess[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'toolgate-sharing-'));
  port = await freePort();
  mark = `shared-${port}-${Date.now()}`;
  windows = [];
  await writeFile(join(dir, 'toolgate.yaml'), configOf({ common: [MEMORY(join(dir, mark))] }));
});
afterEach(async () => {
  for (const window of windows) window.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

function open(changes: { readonly dataDir?: string; readonly ownerToken?: string } = {}): {
  readonly child: ChildProcess;
  readonly messages: ChildMessage[];
} {
  const child = fork(PROGRAM, ['serve', '--ipc'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  windows.push(child);
  const messages: ChildMessage[] = [];
  child.on('message', (message) => messages.push(childMessageSchema.parse(message)));
  child.send({
    type: 'start',
    configFile: join(dir, 'toolgate.yaml'),
    dataDir: join(dir, 'data'),
    port,
    ownerToken: OWNER,
    secrets: {},
    ...changes,
  });
  return { child, messages };
}

async function registryOf(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`http://127.0.0.1:${port}/api/v1/registry`, { headers })).status;
}

it('windows that open together share one gateway, and another takes over when its window closes', async () => {
  const all = [open(), open(), open()];
  await expect
    .poll(() => all.map(({ messages }) => messages[0]?.type), PATIENCE)
    .toEqual(Array(3).fill('ready'));
  const pids = all.map(({ messages }) => (messages[0]?.type === 'ready' ? messages[0].pid : 0));
  expect(new Set(pids).size).toBe(1);
  const first = all.find(({ child }) => child.pid === pids[0]);
  const others = all.filter((one) => one !== first);
  expect(others).toHaveLength(2);
  await expect.poll(() => processesWith(mark).length, PATIENCE).toBeGreaterThan(0);
  const processes = processesWith(mark).length;

  first?.child.disconnect();
  const heir = (): number[] =>
    others.flatMap(({ messages }) =>
      messages.length > 1 && messages[1]?.type === 'ready' ? [messages[1].pid] : [],
    );
  await expect.poll(() => heir().length, PATIENCE).toBe(2);
  expect(new Set(heir()).size).toBe(1);
  expect(others.map(({ child }) => child.pid)).toContain(heir()[0]);
  expect(await registryOf(OWNER)).toBe(200);
  await expect.poll(() => processesWith(mark).length, PATIENCE).toBe(processes);

  for (const { child } of others) child.disconnect();
  await expect.poll(() => processesWith(mark), PATIENCE).toEqual([]);
});

it('does not share a gateway that was started with something else, and says so', async () => {
  const first = open();
  await expect.poll(() => first.messages[0]?.type, PATIENCE).toBe('ready');
  const other = open({ dataDir: join(dir, 'another') });
  await expect.poll(() => other.messages[0], PATIENCE).toMatchObject({ type: 'failed', exitCode: 1 });
  expect(other.messages[0]).toMatchObject({ message: expect.stringContaining('another window') as string });
});

it('tells a program that only pretends nothing, and takes no gateway of another owner for its own', async () => {
  const asked: { url: string; authorization: string | undefined }[] = [];
  const impostor = createServer((req, res) => {
    asked.push({ url: req.url ?? '', authorization: req.headers.authorization });
    const proof = '0'.repeat(64);
    res.end(JSON.stringify({ owner: proof, start: proof, pid: 1, version: '1' }));
  });
  await new Promise<void>((done) => impostor.listen(port, '127.0.0.1', done));
  const fooled = open();
  await expect.poll(() => fooled.messages[0], PATIENCE).toMatchObject({ type: 'failed' });
  expect(fooled.messages[0]).toMatchObject({ message: expect.stringContaining(`port ${port}`) as string });
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.every(({ url, authorization }) => !url.includes(OWNER) && authorization === undefined)).toBe(
    true,
  );
  impostor.close();

  port = await freePort();
  const owner = open();
  await expect.poll(() => owner.messages[0]?.type, PATIENCE).toBe('ready');
  const stranger = open({ ownerToken: newToken('pat', randomBytes(32)) });
  await expect.poll(() => stranger.messages[0], PATIENCE).toMatchObject({ type: 'failed' });
});

it('a proof made for one port is of no use on another', async () => {
  const real = open();
  await expect.poll(() => real.messages[0]?.type, PATIENCE).toBe('ready');
  const realPort = port;
  const relay = createServer((req, res) => {
    void fetch(`http://127.0.0.1:${realPort}${req.url ?? ''}`).then(async (answer) =>
      res.end(await answer.text()),
    );
  });
  await new Promise<void>((done) => relay.listen(0, '127.0.0.1', done));
  port = (relay.address() as AddressInfo).port;
  const fooled = open();
  await expect.poll(() => fooled.messages[0], PATIENCE).toMatchObject({ type: 'failed' });
  relay.close();
});
