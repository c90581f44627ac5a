import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { credentialListSchema } from '../../gateway/contract/credentials.ts';
import { toolgate } from '../support/cli.ts';
import { PROGRAM, startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';
import { keyedServer, type Keyed } from '../support/keyed-server.ts';
import { ask as askModern } from '../support/modern.ts';

/** P85 P99 P107 Each person's own key, exchanged behind the scenes; the server answers whose it saw. */
let server: Keyed;
let gateway: RunningGateway;
let stopServer = (): void => undefined;
let people: People;
const api: People['api'] = (...asked) => people.api(...asked);
const STDIO = `import { McpServer } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/mcp.js')}';
import { StdioServerTransport } from '${import.meta.resolve('@modelcontextprotocol/sdk/server/stdio.js')}';
const server = new McpServer({ name: 'own', version: '1' });
server.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: process.env.KEY.slice(-1) + ' ' + process.pid }] }));
await server.connect(new StdioServerTransport());`;

beforeAll(async () => {
  server = await keyedServer((stop) => (stopServer = stop));
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - { name: mine, url: "${server.url}", allowPrivateAddress: true, auth: { type: header, perUser: true, headers: { x-key: "Bearer {{API_KEY}}" } } }
      - { name: local, command: node, args: ["--input-type=module", "-e", ${JSON.stringify(STDIO)}], env: { KEY: "{{LOCAL_KEY}}" } }
      - { name: both, virtual: [{ server: "g:mine", tools: [whoami] }] }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben', 'cat']);
});
afterAll(async () => {
  await gateway.stop();
  stopServer();
});

const give = (who: string, values: Record<string, string>, at = 'mine'): Promise<ApiAnswer> =>
  api(who, 'PUT', `/credentials/g/${at}`, { values });
const call = (who: string, at = 'g:mine'): Promise<ApiAnswer> =>
  api(who, 'POST', '/calls', { server: at, tool: 'whoami', arguments: {} });

/** What `whoami` answered through an MCP client at an address. */
async function through(who: string, path: string, name: string, args: object = {}): Promise<string> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  try {
    const { content } = await client.callTool({ name, arguments: { ...args } });
    return (content as { text: string }[])[0]?.text ?? '';
  } finally {
    await client.close();
  }
}

it('without a credential a call is refused, says what is missing and where to give it, and reaches nothing', async () => {
  const { body } = await api('ann', 'GET', '/credentials');
  const mine = credentialListSchema.parse(body).credentials;
  expect(mine.map(({ server: at, state, missing }) => [at, state, missing])).toEqual([
    ['toolgate:g:mine', 'missing', ['API_KEY']],
    ['toolgate:g:local', 'missing', ['LOCAL_KEY']],
  ]);
  expect(server.seen).toEqual([]);
  const refused = await call('ann');
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(JSON.stringify(refused.body)).toContain('toolgate credential set g:mine');
  expect(server.seen).toEqual([]);
});

it('FIELD 1: each person’s calls carry their own key, by every way, and are never crossed', async () => {
  expect((await give('ann', { API_KEY: 'key-of-a' })).body).toMatchObject({ state: 'ok' });
  expect((await give('ben', { API_KEY: 'longer-key-of-b' })).body).toMatchObject({ state: 'ok' });
  const own: Record<string, string> = { ann: 'digest 15 a', ben: 'digest 22 b' };
  await vi.waitFor(async () => expect((await call('ann')).status).toBe(200), {
    timeout: 15_000,
    interval: 200,
  });
  // The rest is listed with ann's, and not one call of anybody else goes with it.
  const refused = await call('cat');
  expect(refused).toMatchObject({ status: 403 });
  expect(refused.body['detail']).toContain('user:cat has yet to give API_KEY');
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const who = at % 2 === 0 ? 'ann' : 'ben';
      return [who, JSON.stringify((await call(who)).body)] as const;
    }),
  );
  for (const [who, answer] of answers) expect(answer).toContain(own[who]);
  for (const who of ['ann', 'ben']) {
    expect(await through(who, '/mcp', 'mine__whoami')).toBe(own[who]);
    expect(await through(who, '/mcp/g/mine', 'whoami')).toBe(own[who]);
    expect(await through(who, '/mcp/g/both', 'whoami')).toBe(own[who]);
    expect(await through(who, '/mcp/_discover', 'call_tool', { name: 'mine__whoami', arguments: {} })).toBe(
      own[who],
    );
    const caller = { address: gateway.address, token: people.tokens[who] ?? '' };
    const { result } = await askModern(caller, '/mcp/g/mine', 'tools/call', {
      name: 'whoami',
      arguments: {},
    });
    expect(JSON.stringify(result)).toContain(own[who]);
  }
  expect(server.seen.every((headers) => headers.authorization === undefined)).toBe(true);
});

it('a session of a client that can be asked, with a connection of its own, has its person’s key too', async () => {
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: { elicitation: {}, sampling: {} } },
  );
  const requestInit = { headers: { authorization: `Bearer ${people.tokens['ben'] ?? ''}` } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/g/mine`), { requestInit }),
  );
  const { content } = await client.callTool({ name: 'whoami', arguments: {} });
  expect(content).toMatchObject([{ text: 'digest 22 b' }]);
  await client.close();
});

it('a changed key counts from the next call on, and one that is taken back ends the calls', async () => {
  await give('ben', { API_KEY: 'new-b' });
  expect(JSON.stringify((await call('ben')).body)).toContain('digest 12 b');
  expect((await api('ben', 'DELETE', '/credentials/g/mine')).body).toMatchObject({ state: 'missing' });
  expect((await call('ben')).status).toBe(403);
  expect(JSON.stringify((await call('ann')).body)).toContain('digest 15 a');
  expect((await api('ben', 'DELETE', '/credentials/g/mine')).status).toBe(404);
});

it('a stdio server that asks for it has a process for each person', async () => {
  await give('ann', { LOCAL_KEY: 'x-a' }, 'local');
  await give('ben', { LOCAL_KEY: 'x-b' }, 'local');
  await vi.waitFor(async () => expect((await call('ann', 'g:local')).status).toBe(200), {
    timeout: 15_000,
    interval: 200,
  });
  const said = async (who: string): Promise<string[]> => {
    const { result } = (await call(who, 'g:local')).body as { result: { content: { text: string }[] } };
    return result.content[0]?.text.split(' ') ?? [];
  };
  const [ann, ben, again] = [await said('ann'), await said('ben'), await said('ann')];
  expect([ann[0], ben[0]]).toEqual(['a', 'b']);
  expect(ann[1]).not.toBe(ben[1]);
  expect(again[1]).toBe(ann[1]);
});

it('values are one line, for what is asked, and nobody sees them or another’s', async () => {
  for (const [values, field] of [
    [{ API_KEY: 'two\nlines' }, 'values.API_KEY'],
    [{ OTHER: 'x' }, 'values.OTHER'],
    [{ API_KEY: '' }, 'values.API_KEY'],
  ] as const)
    expect(await give('ann', values as never)).toMatchObject({ status: 400, body: { field } });
  // A reference in a value is no reference.
  await give('cat', { API_KEY: '${env:HOME}' });
  expect(JSON.stringify((await call('cat')).body)).toContain('digest 18 }');
  const everybody = await api('owner', 'GET', '/credentials?all=true');
  expect(JSON.stringify(everybody.body)).toContain('user:ann');
  expect(JSON.stringify(everybody.body)).not.toContain('key-of-a');
  expect(JSON.stringify((await api('ann', 'GET', '/credentials?all=true')).body)).not.toContain('user:ben');
  const written = await readFile(join(gateway.dataDir, 'secrets.enc'), 'utf8');
  expect(written).not.toContain('key-of-a');
  expect(gateway.output()).not.toContain('key-of-a');
  expect(JSON.stringify((await api('owner', 'GET', '/secrets')).body)).not.toContain('person/');
});

it('is given on the command line', async () => {
  const env = { ...process.env, TOOLGATE_TOKEN: people.tokens['ben'] ?? '' };
  const args = ['credential', 'set', 'g:mine', 'API_KEY', '--gateway', gateway.address];
  const said = await new Promise<string>((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', () => resolve(text));
    child.stdin.end('cli-b\n');
  });
  expect(said).toContain('toolgate:g:mine has all it asks you for');
  expect(JSON.stringify((await call('ben')).body)).toContain('digest 12 b');
  const { stdout } = await toolgate(['credential', 'list', '--gateway', gateway.address], {
    TOOLGATE_TOKEN: people.tokens['ben'] ?? '',
  });
  expect(stdout).toMatch(/toolgate:g:mine +user:ben +ok/);
});
