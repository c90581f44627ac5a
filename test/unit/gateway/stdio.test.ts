import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { buildLaunch, type Launch } from '../../../gateway/upstream/launch.ts';
import { startReaper } from '../../../gateway/upstream/reaper.ts';
import { connectStdio } from '../../../gateway/upstream/stdio.ts';
import { processesWith } from '../../support/processes.ts';
import { configOf } from './support.ts';

const reaper = startReaper();
const open: Connection[] = [];
let mark = '';
let lost: string[] = [];
let stderr: string[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  expect(processesWith(mark)).toEqual([]);
});
afterAll(() => {
  reaper.close();
});

/** A server of a few lines: `onRequest` is the body of a function of `message` with `reply` at hand. */
const server = (onRequest: string): string => `
  const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
  const answer = (message) => {
    const reply = (result) => say({ id: message.id, result });
    if (message.method === 'initialize')
      return reply({ protocolVersion: '2025-11-25', serverInfo: { name: 's', version: '1' }, capabilities: {} });
    if (message.id !== undefined) { ${onRequest} }
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => answer(JSON.parse(line)));`;

async function connect(
  script: string,
  signal = AbortSignal.timeout(8_000),
  command = process.execPath,
): Promise<Connection> {
  mark = `toolgate-unit-${Math.random().toString(36).slice(2)}`;
  lost = [];
  stderr = [];
  const launch: Launch = {
    command,
    args: ['-e', script],
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', MARK: mark },
  };
  const connection = await connectStdio({
    launch,
    reaper,
    approach: { protocol: 'legacy', memory: {} },
    client: { version: '1', capabilities: {} },
    signal,
    events: {
      onNotification: () => undefined,
      onRenewed: () => undefined,
      onLost: (reason) => void lost.push(reason),
      onWarning: () => undefined,
      onStderr: (line) => void stderr.push(line),
    },
  });
  open.push(connection);
  return connection;
}

const ask = (connection: Connection, params: object = {}): Promise<unknown> =>
  connection.request('tools/call', { ...params }, { signal: AbortSignal.timeout(5_000) });

describe('P23 a server on standard input and output', () => {
  it('answers, and what it prints besides is borne', async () => {
    const connection = await connect(
      `console.log('Server running!'); console.log('{"half": '); ${server("reply({ text: 'für ' + message.params.who })")}`,
    );
    expect(await ask(connection, { who: 'Zoë\n"€"' })).toEqual({ text: 'für Zoë\n"€"' });
  });

  it('answers many at once, each its own', async () => {
    const connection = await connect(
      server('setTimeout(() => reply({ n: message.params.n }), message.params.n % 7)'),
    );
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    expect(await Promise.all(numbers.map((n) => ask(connection, { n })))).toEqual(
      numbers.map((n) => ({ n })),
    );
  });

  it('that answers and ends has answered', async () => {
    const connection = await connect(
      server(
        'process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { last: "x".repeat(200000) } }) + "\\n", () => process.exit(0))',
      ),
    );
    expect(await ask(connection)).toMatchObject({ last: expect.stringMatching(/^x{200000}$/) });
    await expect.poll(() => lost).toEqual(["the server's process exited with code 0"]);
  });

  it('that ends fails what is pending, and what it said last has been heard', async () => {
    const connection = await connect(server("console.error('out of memory'); process.exit(3)"));
    await expect(ask(connection)).rejects.toThrow("the server's process exited with code 3");
    expect(stderr).toEqual(['out of memory']);
    expect(lost).toEqual(["the server's process exited with code 3"]);
    await expect(ask(connection)).rejects.toThrow();
  });

  it('whose child holds its pipes is gone all the same, and the child with it', async () => {
    const connection = await connect(
      server("require('node:child_process').spawn('sleep', ['300'], { stdio: 'inherit' }); process.exit(1)"),
    );
    await expect(ask(connection)).rejects.toThrow('exited with code 1');
    await expect.poll(() => processesWith(mark), { timeout: 5_000 }).toEqual([]);
  });
});

describe('a start that fails', () => {
  it('for want of the program names it, and where it was looked for', async () => {
    await expect(connect('', undefined, 'no-such-program')).rejects.toThrow(
      /^the server's process could not start: "no-such-program"/,
    );
  });

  it('at once says with what code, and its last words are heard', async () => {
    await expect(connect("console.error('bad key'); process.exit(7)")).rejects.toThrow('exited with code 7');
    expect(stderr).toEqual(['bad key']);
  });

  it('to answer in time leaves no process', async () => {
    await expect(connect('setInterval(() => {}, 1000)', AbortSignal.timeout(300))).rejects.toThrow();
    expect(processesWith(mark)).toEqual([]);
    expect(lost).toEqual([]);
  });
});

describe('the launch of a server', () => {
  const build = (rest: string, env: NodeJS.ProcessEnv, values: Record<string, string> = {}): Launch =>
    buildLaunch(configOf({ g: { s: rest } }).groups[0]!.servers[0]!, {
      folder: '/registry',
      env,
      execPath: '/app/node',
      resolve: (text) => text.replace(/\$\{(\w+:\w+)\}/g, (_all, name: string) => values[name] ?? ''),
    });

  it('hands on where things are, and no secret that the gateway was given', () => {
    const env = {
      PATH: '/bin',
      HOME: '/home/me',
      TOOLGATE_SECRET_GITHUB: 'canary',
      OPENAI_API_KEY: 'canary',
      AWS_SECRET_ACCESS_KEY: 'canary',
      NODE_OPTIONS: '--require canary',
      ELECTRON_RUN_AS_NODE: 'canary',
    };
    expect(build('', env).env).toEqual({ PATH: '/bin', HOME: '/home/me' });
  });

  it('resolves references in each part, and only where they are written', () => {
    const launch = build(
      ', args: ["--k=${env:A}"], env: { K: "${secret:B}", PATH: /own }, cwd: "${env:C}"',
      { PATH: '/bin' },
      {
        'env:A': 'a b; rm -rf /',
        'secret:B': 'b',
        'env:C': 'sub',
      },
    );
    expect(launch).toEqual({
      command: 'x',
      args: ['--k=a b; rm -rf /'],
      env: { PATH: '/own', K: 'b' },
      cwd: '/registry/sub',
    });
  });

  it('uses the gateway’s own Node where the machine has none', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'toolgate-unit-'));
    const config = configOf({ g: { s: '' } }).groups[0]!.servers[0]!;
    const node = { ...config, command: 'node' };
    const context = { folder: '/', execPath: '/app/node', resolve: (text: string) => text };
    expect(buildLaunch(node, { ...context, env: { PATH: empty } })).toMatchObject({
      command: '/app/node',
      env: { ELECTRON_RUN_AS_NODE: '1' },
    });
    expect(buildLaunch(node, { ...context, env: { PATH: join(process.execPath, '..') } })).toMatchObject({
      command: 'node',
    });
  });
});
