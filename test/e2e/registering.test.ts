import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { configViewSchema, type ConfigView } from '../../gateway/contract/config.ts';
import { toolgate, type CliResult } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { processesWith } from '../support/processes.ts';

const PATIENCE = { timeout: 15_000 };
const CONFIG = `# What we use.
version: 1
groups:
  - name: dev # for trying
    description: Development
    servers: []

  # Careful here.
  - name: prod
`;

let gateway: RunningGateway;
let mark: string;

beforeEach(async () => {
  gateway = await startGateway({ config: CONFIG });
  mark = `registering-${gateway.pid}-${Date.now()}.json`;
});
afterEach(async () => {
  await gateway.stop();
});

const api = async (
  method: string,
  path: string,
  body?: unknown,
  token = gateway.token,
): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const config = async (): Promise<ConfigView> => configViewSchema.parse((await api('GET', '/config')).body);
const run = (...args: string[]): Promise<CliResult> =>
  toolgate(args, { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token });
const memory = (): { command: string; args: string[]; env: object } => ({
  command: 'node',
  args: [join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-memory/dist/index.js')],
  env: { MEMORY_FILE_PATH: `/tmp/${mark}` },
});

async function connect(path: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  onTestFinished(() => client.close());
  return client;
}

async function consentTo(body: object): Promise<string[]> {
  const refused = await api('POST', '/groups/dev/servers', body);
  expect(refused).toMatchObject({ status: 409, body: { rule: 'launch-consent' } });
  return (refused.body['launches'] as { consent: string }[]).map(({ consent }) => consent);
}

describe('P80 a server that is added over the API', () => {
  it('is there at once, written into the file beside its comments, and gone when it is removed', async () => {
    const server = { name: 'memory', ...memory() };
    const consents = await consentTo({ server });
    expect(processesWith(mark)).toEqual([]);
    const added = await api('POST', '/groups/dev/servers', { server, consents });
    expect(added).toMatchObject({ status: 200, body: { dryRun: false, changes: [{ kind: 'added' }] } });

    const client = await connect('/mcp/dev/memory');
    expect((await client.callTool({ name: 'read_graph' })).isError).not.toBe(true);
    const text = await readFile(gateway.configFile, 'utf8');
    expect(text).toBe((await config()).text);
    for (const comment of ['# What we use.', '# for trying', '# Careful here.'])
      expect(text).toContain(comment);

    expect((await api('PATCH', '/groups/dev/servers/memory', { changes: { disabled: true } })).status).toBe(
      200,
    );
    await expect.poll(() => processesWith(mark), PATIENCE).toEqual([]);
    expect((await api('PATCH', '/groups/dev/servers/memory', { changes: { disabled: null } })).status).toBe(
      200,
    );
    await expect.poll(() => processesWith(mark).length, PATIENCE).toBeGreaterThan(0);
    expect((await api('DELETE', '/groups/dev/servers/memory')).status).toBe(200);
    await expect.poll(() => processesWith(mark), PATIENCE).toEqual([]);
    await expect(connect('/mcp/dev/memory')).rejects.toThrow();
  });

  it('keeps its process while only its rules change, and moves to another group', async () => {
    const server = { name: 'memory', ...memory() };
    await api('POST', '/groups/dev/servers', { server, consents: await consentTo({ server }) });
    await expect.poll(() => processesWith(mark).length, PATIENCE).toBeGreaterThan(0);
    const client = await connect('/mcp/dev/memory');
    const before = processesWith(mark);
    await api('PATCH', '/groups/dev/servers/memory', {
      changes: { tools: [{ match: 'delete*', effect: 'deny' }] },
    });
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain('read_graph');
    expect(names).not.toContain('delete_entities');
    expect(processesWith(mark)).toEqual(before);

    expect((await api('POST', '/groups/dev/servers/memory/move', { group: 'prod' })).status).toBe(200);
    await expect(connect('/mcp/dev/memory')).rejects.toThrow();
    expect((await (await connect('/mcp/prod/memory')).listTools()).tools.length).toBeGreaterThan(0);
  });

  it('is announced to clients that are there; a session at an address that is gone ends with it', async () => {
    const everything = await connect('/mcp');
    const server = { name: 'memory', ...memory() };
    const announced = new Promise<void>((resolve) => {
      everything.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve());
    });
    await api('POST', '/groups/dev/servers', { server, consents: await consentTo({ server }) });
    await announced;
    await expect
      .poll(async () => (await everything.listTools()).tools.map(({ name }) => name), PATIENCE)
      .toContain('memory__read_graph');

    const own = await connect('/mcp/dev/memory');
    expect((await own.listTools()).tools.length).toBeGreaterThan(0);
    expect((await api('DELETE', '/groups/dev/servers/memory')).status).toBe(200);
    await expect(own.listTools()).rejects.toMatchObject({ code: 404 });
    expect((await everything.listTools()).tools).toEqual([]);
  });

  it('is promoted without the credentials of where it was', async () => {
    const headers = { Authorization: 'Bearer ${secret:dev}' };
    const server = { name: 'api', url: 'https://mcp.example.invalid/mcp', auth: { type: 'header', headers } };
    await api('POST', '/groups/dev/servers', { server });
    const auth = { type: 'header', headers: { Authorization: 'Bearer ${secret:prod}' } };
    const promoted = await api('POST', '/groups/dev/servers/api/promote', {
      group: 'prod',
      changes: { auth },
    });
    expect(promoted.status).toBe(200);
    const { text } = await config();
    expect(text.slice(text.indexOf('name: prod'))).toContain('${secret:prod}');
    expect(text.slice(text.indexOf('name: prod'))).not.toContain('${secret:dev}');
    expect(text.slice(0, text.indexOf('name: prod'))).toContain('${secret:dev}');
  });
});

describe('a change', () => {
  it('that is wrong is refused with the field, and nothing is changed', async () => {
    const before = await readFile(gateway.configFile, 'utf8');
    const wrong = await api('POST', '/groups/dev/servers', {
      server: { name: 'x', url: 'https://a.example', nmae: 1 },
    });
    expect(wrong).toMatchObject({ status: 400, body: { field: 'groups[0].servers[0].nmae' } });
    expect((await api('POST', '/groups/nowhere/servers', { server: { name: 'x' } })).status).toBe(404);
    expect((await api('POST', '/groups', { group: { name: 'dev' } })).status).toBe(409);
    expect(await readFile(gateway.configFile, 'utf8')).toBe(before);
  });

  it('with dryRun tells the difference, and changes nothing', async () => {
    const before = await config();
    const text = before.text.replace('Development', 'Trying things');
    const answer = await api('PUT', '/config?dryRun=true', { text });
    expect(answer.body).toMatchObject({
      dryRun: true,
      changes: [
        {
          kind: 'changed',
          path: '.groups[dev].description',
          before: '"Development"',
          after: '"Trying things"',
        },
      ],
    });
    expect(await config()).toEqual(before);
    expect(await readFile(gateway.configFile, 'utf8')).toBe(before.text);
  });

  it('made to a text that somebody else has changed meanwhile is refused, and theirs is kept', async () => {
    const { revision, text } = await config();
    await writeFile(gateway.configFile, text.replace('Development', 'By hand'));
    const late = { revision, text: text.replace('Development', 'By API') };
    expect(await api('PUT', '/config', late)).toMatchObject({ status: 409, body: { field: 'revision' } });
    expect(await readFile(gateway.configFile, 'utf8')).toContain('By hand');
    await expect.poll(async () => (await config()).text, PATIENCE).toContain('By hand');
  });

  it('is not for those who do not administer', async () => {
    const token = await toolgate([
      'token',
      'create',
      '--config',
      gateway.configFile,
      '--data',
      gateway.dataDir,
      '--name',
      'user',
      '--group',
      'dev',
      '--json',
    ]);
    const user = (JSON.parse(token.stdout) as { token: string }).token;
    await expect
      .poll(async () => (await api('GET', '/registry', undefined, user)).status, PATIENCE)
      .toBe(200);
    for (const [method, path] of [
      ['GET', '/config'],
      ['PUT', '/config'],
      ['POST', '/groups'],
      ['PATCH', '/groups/dev'],
      ['DELETE', '/groups/dev'],
      ['POST', '/groups/dev/servers'],
      ['PATCH', '/groups/dev/servers/x'],
      ['DELETE', '/groups/dev/servers/x'],
      ['POST', '/groups/dev/servers/x/move'],
      ['POST', '/groups/dev/servers/x/promote'],
      ['POST', '/servers/test'],
    ] as const) {
      const { status } = await api(method, path, method === 'GET' ? undefined : {}, user);
      expect(status, `${method} ${path}`).toBe(403);
    }
  });
});

describe('a file that is edited by hand', () => {
  it('is followed; a wrong one is told, and the one before stays in force', async () => {
    const { text } = await config();
    await writeFile(gateway.configFile, text.replace('groups:', 'grups:'));
    await expect.poll(async () => (await config()).problems.join(), PATIENCE).toMatch(/grups.*groups/);
    expect((await config()).text).toBe(text);
    expect(await run('config')).toMatchObject({
      code: 1,
      stdout: text,
      stderr: expect.stringContaining('grups') as unknown,
    });
    await writeFile(gateway.configFile, text.replace('Development', 'Mended'));
    await expect.poll(async () => (await config()).text, PATIENCE).toContain('Mended');
    expect((await config()).problems).toEqual([]);
  });
});

describe('a server that is tested', () => {
  it('shows what it offers, and leaves no process', async () => {
    const server = { name: 'trial', ...memory() };
    const refused = await api('POST', '/servers/test', { server });
    expect(refused).toMatchObject({ status: 409, body: { rule: 'launch-consent' } });
    expect(processesWith(mark)).toEqual([]);
    const consents = (refused.body['launches'] as { consent: string }[]).map(({ consent }) => consent);
    const tested = await api('POST', '/servers/test', { server, consents });
    expect(tested.body).toMatchObject({ ok: true, tools: expect.arrayContaining(['read_graph']) as unknown });
    await expect.poll(() => processesWith(mark), PATIENCE).toEqual([]);
    const other = await api('POST', '/servers/test', { server: { ...server, args: ['-e', '0'] }, consents });
    expect(other).toMatchObject({ status: 409, body: { rule: 'launch-consent' } });
  });

  it('that keeps silent is given up in its time, and leaves no process', async () => {
    const args = ['-e', 'setInterval(() => undefined, 1000)', mark];
    const server = { name: 'silent', command: 'node', args, timeouts: { connect: '2s' } };
    const refused = await api('POST', '/servers/test', { server });
    const consents = (refused.body['launches'] as { consent: string }[]).map(({ consent }) => consent);
    const tested = await api('POST', '/servers/test', { server, consents });
    expect(tested).toMatchObject({ status: 200, body: { ok: false } });
    expect(tested.body['error']).not.toBe('');
    await expect.poll(() => processesWith(mark), PATIENCE).toEqual([]);
  });

  it('that cannot be reached says why, and a private address wants consent', async () => {
    const tested = await api('POST', '/servers/test', {
      server: { name: 't', url: 'http://127.0.0.1:9/mcp' },
    });
    expect(tested.body).toMatchObject({
      ok: false,
      error: expect.stringMatching(/allowPrivateAddress/) as unknown,
    });
    expect(await api('POST', '/servers/test', { server: { name: 't' } })).toMatchObject({
      status: 400,
      body: { field: 'url' },
    });
  });
});

describe('the command line', () => {
  it('adds, lists, edits, promotes and removes servers and groups', async () => {
    const { args, command } = memory();
    const env = `MEMORY_FILE_PATH=/tmp/${mark}`;
    const tested = await run('server', 'test', '--env', env, '--', command, ...args);
    expect(tested).toMatchObject({ code: 0, stdout: expect.stringContaining('read_graph') as unknown });
    const dry = await run(
      'server',
      'add',
      'memory',
      '-g',
      'dev',
      '--dry-run',
      '--env',
      env,
      '--',
      command,
      ...args,
    );
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('dry run') as unknown });
    expect(
      (await run('server', 'add', 'memory', '-g', 'dev', '--env', env, '--', command, ...args)).code,
    ).toBe(0);
    await expect
      .poll(async () => (await run('server', 'list')).stdout, PATIENCE)
      .toMatch(/dev:memory +stdio +ready +9/);
    expect((await run('server', 'edit', 'dev:memory', '--description', 'Remembers')).code).toBe(0);
    const access = ['--use', 'everyone', 'user:ada', '--manage', 'user:ada'];
    expect((await run('group', 'add', 'qa', '--environment', 'test', ...access)).code).toBe(0);
    expect((await config()).text).toMatch(/use:\s+- everyone\s+- user:ada\s+manage:\s+- user:ada/);
    expect((await run('group', 'list')).stdout).toMatch(/qa +test +0/);
    const promoted = await run('server', 'promote', 'dev:memory', 'qa', '--name', 'notes', '--env', env);
    expect(promoted).toMatchObject({ code: 0, stdout: expect.stringContaining('qa') as unknown });
    const unasked = await run('server', 'remove', 'dev:memory');
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as unknown });
    expect((await run('server', 'remove', 'dev:memory', '--yes')).code).toBe(0);
    const full = await run('group', 'remove', 'qa', '--yes');
    expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining('1 server') as unknown });
    expect((await run('group', 'remove', 'qa', '--yes', '--servers')).code).toBe(0);
    expect((await run('server', 'list')).stdout).toContain('No server yet');
  });

  it('applies a whole file, and asks before it runs what is new', async () => {
    const file = join(gateway.dataDir, 'next.yaml');
    const { command, args } = memory();
    await writeFile(
      file,
      `version: 1\ngroups: [{ name: dev, servers: [{ name: memory, command: ${command}, args: ${JSON.stringify(args)} }] }]\n`,
    );
    const dry = await run('apply', file, '--dry-run');
    expect(dry.stdout).toContain('- groups[prod]');
    expect((await config()).text).toBe(CONFIG);
    expect(await run('apply', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('server-memory') as unknown,
    });
    expect((await run('apply', file, '--yes')).code).toBe(0);
    expect((await config()).text).toBe(await readFile(file, 'utf8'));
  });
});
