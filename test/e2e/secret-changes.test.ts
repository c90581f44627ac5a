import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { PROGRAM, startGateway, type RunningGateway } from '../support/gateway.ts';

const STDIO = `import { McpServer } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/mcp.js')}';
import { StdioServerTransport } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/stdio.js')}';
const server = new McpServer({ name: 'own', version: '1' });
server.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: process.env.KEY.length + ' ' + process.env.FILE + ' ' + process.pid }] }));
await server.connect(new StdioServerTransport());`;

async function api(
  gateway: RunningGateway,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

const put = (
  gateway: RunningGateway,
  name: string,
  value: string,
): Promise<{ status: number; text: string }> => api(gateway, 'PUT', `/secrets/${name}`, { value });

async function started(config = 'version: 1\n', env: Record<string, string> = {}): Promise<RunningGateway> {
  const gateway = await startGateway({ config, env });
  onTestFinished(() => gateway.stop().then(() => undefined));
  return gateway;
}

function placeOf(gateway: RunningGateway): string[] {
  return ['--config', gateway.configFile, '--data', gateway.dataDir];
}

it('P91 a changed secret in env reaches the next call: the process is started anew, for that secret alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-changed-'));
  const file = join(folder, 'value.txt');
  await writeFile(file, 'before');
  const gateway = await started(
    `version: 1
groups:
  - name: g
    servers:
      - { name: own, command: node, args: ["--input-type=module", "-e", ${JSON.stringify(STDIO)}], env: { KEY: "\${secret:key}", FILE: "\${file:${file}}" } }
      - { name: other, url: "http://127.0.0.1:9/mcp", allowPrivateAddress: true, auth: { type: header, perUser: true, headers: { x-key: "{{KEY}}" } } }
`,
  );
  const said = async (): Promise<string> => {
    const { text } = await api(gateway, 'POST', '/calls', { server: 'g:own', tool: 'whoami', arguments: {} });
    return /"text":"([^"]*)"/.exec(text)?.[1] ?? text;
  };
  expect((await put(gateway, 'key', 'four')).status).toBe(200);
  await expect.poll(said, { timeout: 15_000 }).toMatch(/^4 before \d+$/);
  const first = await said();
  // Whatever is applied anew would take this up.
  await writeFile(file, 'after');
  expect((await put(gateway, 'unrelated', 'value')).status).toBe(200);
  await api(gateway, 'PUT', '/credentials/g/other', { values: { KEY: 'mine' } });
  expect(await said()).toBe(first);
  expect((await put(gateway, 'key', 'sixsix')).status).toBe(200);
  expect(await said()).toMatch(/^6 after \d+$/);
});

it('a running gateway follows a new master.key, and says what to do about a key it cannot read', async () => {
  const gateway = await started();
  expect((await put(gateway, 'a', 'one')).status).toBe(200);
  const rotated = await toolgate(['secret', 'rotate-key', ...placeOf(gateway)]);
  expect(rotated.stdout).toContain('Running gateways follow');
  expect(await put(gateway, 'b', 'two')).toMatchObject({ status: 200 });
  expect((await toolgate(['secret', 'list', ...placeOf(gateway)])).stdout).toMatch(/a [^]*b /);

  const own = '7'.repeat(64);
  const moved = await toolgate(['secret', 'rotate-key', ...placeOf(gateway)], {
    TOOLGATE_NEW_MASTER_KEY: own,
  });
  expect(moved.stdout).toContain('TOOLGATE_MASTER_KEY');
  expect(moved.stdout).toContain('is removed');
  expect(existsSync(join(gateway.dataDir, 'master.key'))).toBe(false);
  const refused = await put(gateway, 'c', 'three');
  expect(refused).toMatchObject({ status: 409 });
  expect(refused.text).toContain('"rule":"master-key"');
  expect(refused.text).toContain('set TOOLGATE_MASTER_KEY');
  // Nothing was written under the key of before, and no new one was made.
  expect(existsSync(join(gateway.dataDir, 'master.key'))).toBe(false);
  const listed = await toolgate(['secret', 'list', '--json', ...placeOf(gateway)], {
    TOOLGATE_MASTER_KEY: own,
  });
  expect((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['a', 'b']);
});

it('a running gateway reads the file of TOOLGATE_MASTER_KEY_FILE again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-key-'));
  const file = join(folder, 'key');
  await writeFile(file, '1'.repeat(64));
  const env = { TOOLGATE_MASTER_KEY_FILE: file };
  const gateway = await started(undefined, env);
  expect((await put(gateway, 'a', 'one')).status).toBe(200);
  const more = { ...env, TOOLGATE_NEW_MASTER_KEY: '2'.repeat(64) };
  expect((await toolgate(['secret', 'rotate-key', ...placeOf(gateway)], more)).code).toBe(0);
  expect((await put(gateway, 'b', 'two')).text).toContain('another master key');
  await writeFile(file, '2'.repeat(64));
  expect((await put(gateway, 'b', 'two')).status).toBe(200);
  expect((await toolgate(['secret', 'list', ...placeOf(gateway)], env)).stdout).toMatch(/a [^]*b /);
});

it('a gateway that is killed while secrets are set loses none that it acknowledged', async () => {
  const gateway = await started();
  const acknowledged: string[] = [];
  const setting = (async () => {
    for (let count = 0; ; count++) {
      const name = `n${String(count).padStart(4, '0')}`;
      if ((await put(gateway, name, name)).status !== 200) throw new Error('refused');
      acknowledged.push(name);
    }
  })().catch(() => undefined);
  await expect.poll(() => acknowledged.length).toBeGreaterThan(10);
  await gateway.kill();
  await setting;
  const { stdout } = await toolgate(['secret', 'list', '--json', ...placeOf(gateway)]);
  const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
  expect(names.slice(0, acknowledged.length)).toEqual(acknowledged);
});

it('a deleted secret is in no file of the data folder', async () => {
  const gateway = await started();
  expect((await put(gateway, 'gone', 'value')).status).toBe(200);
  const { records } = JSON.parse(await readFile(join(gateway.dataDir, 'secrets.enc'), 'utf8')) as {
    records: { sealed: string }[];
  };
  const sealed = records[0]?.sealed ?? 'none';
  expect((await api(gateway, 'DELETE', '/secrets/gone')).status).toBe(200);
  const names = (await readdir(gateway.dataDir)).filter((name) => name !== 'catalog');
  for (const name of names)
    expect(await readFile(join(gateway.dataDir, name), 'latin1'), name).not.toContain(sealed);
  expect(names).not.toContain('secrets.enc.bak');
});

it('references in the command line are warned of, by their place', async () => {
  const config = `version: 1
groups:
  - name: g
    servers:
      - { name: ok, url: "http://127.0.0.1:9/mcp", allowPrivateAddress: true }
      - { name: seen, command: node, args: ["\${env:TOOLGATE_HOME}/x.js", --key, "\${secret:key}"], env: { KEY: "\${secret:key}" } }
`;
  const env = { TOOLGATE_SECRET_KEY: 'value-of-it' };
  const gateway = await started(config, env);
  const { stderr, code } = await toolgate(['validate', '--config', gateway.configFile], env);
  expect(code).toBe(0);
  const lines = stderr.split('\n').filter((line) => line.includes('warning'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('groups[0].servers[1].args[2]: warning: the value of ${secret:key} is seen');
  const warned = 'args[2]: the value of ${secret:key} is seen in the list of processes';
  expect((await api(gateway, 'GET', '/registry')).text).toContain(warned);
  expect(gateway.output()).toContain('"path":"groups[0].servers[1].args[2]"');
});

it('a master key that is nearly one is refused, and said what one is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-nearly-'));
  const file = join(folder, 'toolgate.yaml');
  await writeFile(file, 'version: 1\n');
  const env = { ...process.env, TOOLGATE_MASTER_KEY: `${'ab'.repeat(31)}zz` };
  const child = spawn(process.execPath, [PROGRAM, 'secret', 'list', '--config', file], { env });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  expect(stderr).toContain('64 hex digits (openssl rand -hex 32)');
  expect(stderr).not.toContain('ab'.repeat(31));
});
