import { spawn } from 'node:child_process';
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { PROGRAM, ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({ config: configOf({ common: [CALCULATOR(await freePort()), EVERYTHING] }) });
});
afterAll(async () => {
  await gateway.stop();
});

async function config(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-cli-')), 'toolgate.yaml');
  await writeFile(file, text);
  return file;
}

const call = (...args: string[]): ReturnType<typeof toolgate> =>
  toolgate(['call', ...args, '--gateway', gateway.address], { TOOLGATE_TOKEN: gateway.token });

describe('toolgate call', () => {
  it('prints the text of a result, or all of it as JSON', async () => {
    expect(await call('common:calculator-mcp', 'add', '{"a": 2, "b": 3}')).toMatchObject({
      code: 0,
      stdout: '5\n',
    });
    const { stdout } = await call('calculator-mcp', 'add', '{"a": 2, "b": 3}', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ structuredContent: { result: 5 } });
  });

  it('exits with 1 on a tool’s error and on a refusal, with 2 on wrong usage', async () => {
    expect(await call('calculator-mcp', 'divide', '{"a": 2, "b": 0}')).toMatchObject({
      code: 1,
      stdout: '2 divide 0 has no finite result\n',
    });
    const refused = await call('calculator-mcp', 'add', '{"a": "two", "b": 0}');
    expect(refused).toMatchObject({ code: 1, stderr: 'toolgate: add: a must be number\n' });
    expect((await call('calculator-mcp', 'add', 'a=2')).code).toBe(2);
    expect((await call('calculator-mcp', 'nope', '{}')).stderr).toContain('there is no tool nope');
  });

  it('says what to do without a token and without a gateway', async () => {
    const noToken = await toolgate(['call', 'a', 'b', '--gateway', gateway.address], { TOOLGATE_TOKEN: '' });
    expect(noToken.code).toBe(2);
    const noGateway = await toolgate(
      ['call', 'a', 'b', '--gateway', `http://127.0.0.1:${await freePort()}`],
      {
        TOOLGATE_TOKEN: 'x',
      },
    );
    expect(noGateway).toMatchObject({ code: 1 });
    expect(noGateway.stderr).toContain('toolgate serve');
  });
});

describe('toolgate validate', () => {
  it('accepts the demo and the starter configuration', async () => {
    for (const name of ['demo', 'starter']) {
      const { code, stdout } = await toolgate([
        'validate',
        '--config',
        join(ROOT, 'examples', name, 'toolgate.yaml'),
      ]);
      expect(stdout).toContain('is valid');
      expect(code).toBe(0);
    }
  });

  it('names every reference without a value', async () => {
    const file = await config(`version: 1
models: { providers: [{ name: openai, type: openai, apiKey: "\${env:NO_SUCH_KEY}" }] }
`);
    const { code, stderr } = await toolgate(['validate', '--config', file]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'provider openai: ${env:NO_SUCH_KEY} has no value: set the environment variable NO_SUCH_KEY',
    );
    expect(JSON.parse((await toolgate(['validate', '--config', file, '--json'])).stdout)).toMatchObject({
      valid: false,
    });
  });

  it('names a document of an HTTP API that cannot be read', async () => {
    const file = await config(
      'version: 1\ngroups: [{ name: g, servers: [{ name: api, openapi: none.yaml, baseUrl: "https://a.example" }] }]\n',
    );
    const { code, stderr } = await toolgate(['validate', '--config', file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/g:api openapi: the document \S+none\.yaml cannot be read/);
  });

  it('reports all issues at once, one a line', async () => {
    const file = await config('version: 2\ngruops: []\nlisten: { port: 99999 }\n');
    const { code, stderr } = await toolgate(['validate', '--config', file]);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(3);
    expect(stderr).toContain('did you mean "groups"?');
  });
});

describe('toolgate export', () => {
  it('writes what serves the same servers elsewhere, and no secret', async () => {
    const port = await freePort();
    const file = await config(
      configOf({
        common: [
          CALCULATOR(port, ', description: "kept as it is"'),
          `{ name: hub, url: "https://hub.example.com/mcp", auth: { type: header, headers: { Authorization: "Bearer canary-secret" } } }`,
          `{ name: local, command: node, args: [./server.mjs], env: { API_TOKEN: canary-token, MODE: fast } }`,
        ],
      }).replace('version: 1', '# Our registry\nversion: 1'),
    );
    await writeFile(join(file, '../server.mjs'), 'process.stdin.resume()');
    const dir = join(await mkdtemp(join(tmpdir(), 'toolgate-export-')), 'team');
    const { code, stdout } = await toolgate(['export', dir, '--config', file]);
    expect(code).toBe(0);
    expect(stdout).toContain('COMMON_HUB_AUTHORIZATION');
    const yaml = await readFile(join(dir, 'toolgate.yaml'), 'utf8');
    expect(yaml).toContain('# Our registry');
    expect(yaml).toContain('Bearer ${env:COMMON_HUB_AUTHORIZATION}');
    expect(yaml).not.toContain('canary');
    expect(await readFile(join(dir, '.env.example'), 'utf8')).toBe(
      'COMMON_HUB_AUTHORIZATION=\nCOMMON_LOCAL_API_TOKEN=\n',
    );
    expect((await stat(join(dir, 'start.sh'))).mode & 0o111).not.toBe(0);
    expect((await toolgate(['export', dir, '--config', file])).stderr).toContain('--force');

    const served = await startScript(dir, String(await freePort()));
    const { stdout: sum } = await toolgate([
      'call',
      'calculator-mcp',
      'add',
      '{"a": 40, "b": 2}',
      '--gateway',
      served.address,
      '--token',
      served.token,
    ]);
    expect(sum).toBe('42\n');
    await served.stop();
  });
});

/** Runs an export's own start script. */
async function startScript(
  dir: string,
  port: string,
): Promise<{ address: string; token: string; stop: () => Promise<void> }> {
  const env = {
    ...process.env,
    COMMON_HUB_AUTHORIZATION: 'x',
    COMMON_LOCAL_API_TOKEN: 'y',
    TOOLGATE_PROGRAM: PROGRAM,
  };
  const child = spawn(join(dir, 'start.sh'), ['--port', port, '--session-token'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  await expect.poll(() => output, { timeout: 15_000 }).toContain('calculator-mcp');
  const [, address = '', token = ''] = /Console +(\S+)\/#code=[^]*?Token +(\S+)/.exec(output) ?? [];
  return {
    address,
    token,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

describe('the program', () => {
  it('teaches itself', async () => {
    const { stdout, code } = await toolgate(['--help']);
    expect(code).toBe(0);
    for (const command of ['serve', 'validate', 'export', 'token', 'call', 'version'])
      expect(stdout).toContain(command);
    expect((await toolgate(['token', 'create', '--help'])).stdout).toContain('--group');
  });

  it('exits with 2 on unknown commands and options, naming the nearest', async () => {
    const { code, stderr } = await toolgate(['serv']);
    expect(code).toBe(2);
    expect(stderr).toContain('Did you mean serve?');
    expect((await toolgate(['serve', '--prot', '1'])).code).toBe(2);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect((await toolgate(['version'])).stdout).toBe(`${version}\n`);
    expect(JSON.parse((await toolgate(['version', '--json'])).stdout)).toMatchObject({ version });
  });

  it('refuses a token for a group that does not exist, and a second token of a name', async () => {
    const where = ['--config', gateway.configFile, '--data', gateway.dataDir];
    expect(await toolgate(['token', 'create', '-n', 'x', '-g', 'nope', ...where])).toMatchObject({ code: 2 });
    expect((await toolgate(['token', 'create', '-n', 'twin', ...where])).code).toBe(0);
    expect((await toolgate(['token', 'create', '-n', 'twin', ...where])).stderr).toContain('exists');
  });
});

it('npm start runs the demo servers, prints where to look and stops with Ctrl-C', async () => {
  const mark = `mark-${Math.random().toString(36).slice(2)}`;
  const data = join(await mkdtemp(join(tmpdir(), 'toolgate-start-')), mark);
  const child = spawn('npm', ['start', '--', '--port', '0', '--data', data], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a signal to it is what Ctrl-C is in a terminal.
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  await expect.poll(() => output, { timeout: 25_000 }).toMatch(/memory-mcp +ready, \d+ tools/);
  expect(output).toMatch(/Console +http\S+\/#code=[\w-]{43}\n/);
  expect(output).toMatch(/MCP +http/);
  expect(output).toContain('curl -N');
  for (const name of ['calculator-mcp', 'everything-mcp', 'filesystem-mcp'])
    expect(output).toMatch(new RegExp(`${name} +ready`));
  process.kill(-child.pid!, 'SIGINT');
  await exited;
  await expect.poll(() => processesWith(mark), { timeout: 5_000 }).toEqual([]);
});
