import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf, EVERYTHING, MEMORY } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

const mark = (): string => `toolgate-mark-${Math.random().toString(36).slice(2)}`;

/** Each server's process carries the mark in its environment or arguments. */
async function markedConfig(text: string): Promise<string> {
  const env = `{ NAME: ${text} }`;
  const marked = (server: string): string => server.replace(/ \}$/, `, env: ${env} }`);
  return configOf({
    common: [marked(CALCULATOR(await freePort())), marked(EVERYTHING), MEMORY(join(tmpdir(), text))],
  });
}

it('stops with exit code 0 on SIGTERM and leaves no process behind', async () => {
  const text = mark();
  const gateway = await startGateway({ config: await markedConfig(text) });
  await expect.poll(() => processesWith(text).length, { timeout: 10_000 }).toBe(3);
  expect(await gateway.stop()).toBe(0);
  expect(processesWith(text)).toEqual([]);
});

it('leaves no process behind when it is killed with SIGKILL', async () => {
  const text = mark();
  const gateway = await startGateway({ config: await markedConfig(text) });
  await expect.poll(() => processesWith(text).length, { timeout: 10_000 }).toBe(3);
  await gateway.kill();
  await expect.poll(() => processesWith(text), { timeout: 10_000 }).toEqual([]);
});

it('stops while a server is still starting, and takes wrappers’ children along', async () => {
  const text = mark();
  const shell = `{ name: wrapped, command: sh, args: ["-c", "sleep 300 & sleep 300; true"], env: { NAME: ${text} } }`;
  const gateway = await startGateway({ config: configOf({ common: [shell] }) });
  await expect.poll(() => processesWith(text).length, { timeout: 10_000 }).toBe(3);
  expect(await gateway.stop()).toBe(0);
  expect(processesWith(text)).toEqual([]);
});

it('says in one line that the port is taken, and exits with 1', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => taken.once('listening', done));
  const { port } = taken.address() as { port: number };
  const config = await file(configOf({}));
  const { code, stderr } = await toolgate(['serve', '--config', config, '--port', String(port)]);
  taken.close();
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(`port ${port} on 127.0.0.1 is taken`);
});

it('says in one line that the data folder cannot be written, and exits with 1', async () => {
  const config = await file(configOf({}));
  const { code, stderr } = await toolgate(['serve', '--config', config, '--data', join(config, 'data')]);
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain('cannot be used');
});

it('names line, field and nearest key of a broken configuration, and exits with 2', async () => {
  const config = await file(
    'version: 1\ngroups:\n  - name: a\n    servers:\n      - { name: b, comand: node }\n',
  );
  const { code, stderr } = await toolgate(['serve', '--config', config]);
  expect(code).toBe(2);
  expect(stderr).toContain(':5:20 groups[0].servers[0].comand: unknown key; did you mean "command"?');
});

it('ends a second after a second Ctrl-C at the latest, children included', async () => {
  const text = mark();
  const stubborn = `{ name: stubborn, command: node, args: ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], env: { NAME: ${text} } }`;
  const gateway = await startGateway({ config: configOf({ common: [stubborn] }) });
  await expect.poll(() => processesWith(text).length, { timeout: 10_000 }).toBe(1);
  process.kill(gateway.pid, 'SIGINT');
  await new Promise((done) => setTimeout(done, 1_300));
  process.kill(gateway.pid, 'SIGINT');
  await expect.poll(() => processesWith(text), { timeout: 10_000 }).toEqual([]);
});

it('outlives nobody: a parent that vanishes ends the gateway it forked', async () => {
  const text = mark();
  const config = await file(
    configOf({
      common: [`{ name: m, command: node, args: ["-e", "process.stdin.resume()"], env: { NAME: ${text} } }`],
    }),
  );
  const parent = spawn(process.execPath, ['-e', PARENT], {
    env: {
      ...process.env,
      CONFIG: config,
      PROGRAM: new URL('../../dist/gateway.js', import.meta.url).pathname,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  parent.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await expect.poll(() => output, { timeout: 15_000 }).toContain('ready');
  await expect.poll(() => processesWith(text).length, { timeout: 10_000 }).toBe(1);
  const { pid } = JSON.parse(output) as { pid: number };
  parent.kill('SIGKILL');
  await expect.poll(() => processesWith(text), { timeout: 15_000 }).toEqual([]);
  await expect.poll(() => alive(pid), { timeout: 15_000 }).toBe(false);
});

const PARENT = `
const child = require('node:child_process').fork(process.env.PROGRAM, ['serve', '--ipc']);
child.on('message', (message) => console.log(JSON.stringify(message)));
child.send({ type: 'start', configFile: process.env.CONFIG, dataDir: process.env.CONFIG + '.data', port: 0, ownerToken: 'tg_pat_x', secrets: {}, logLevel: 'error' });
`;

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function file(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'toolgate-test-')), 'toolgate.yaml');
  await writeFile(path, text);
  return path;
}
