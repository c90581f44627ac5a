import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';

/** P97 P98: a group says who uses it and who manages it. */
const CONFIG = `version: 1
registry: { public: true }
groups:
  - name: open
    access: { use: [everyone] }
    servers: [${EVERYTHING}]
  - name: prod
    access: { use: ["user:alice"], manage: ["user:mia"] }
    servers:
      - ${EVERYTHING}
      - { name: keyed, url: "https://mcp.example.invalid/mcp", auth: { type: header, headers: { x-key: "\${env:HOME}" } } }
  - name: other
    access: { use: [everyone] }
`;

let gateway: RunningGateway;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  gateway = await startGateway({ config: CONFIG });
  for (const name of ['alice', 'bob', 'mia', 'narrow']) {
    const subject = name === 'narrow' ? 'user:mia' : `user:${name}`;
    const { stdout, code } = await toolgate([
      ...['token', 'create', '--config', gateway.configFile, '--data', gateway.dataDir, '--json'],
      ...['--name', name, '--subject', subject, ...(name === 'narrow' ? ['--group', 'open'] : [])],
    ]);
    expect(code).toBe(0);
    tokens[name] = (JSON.parse(stdout) as { token: string }).token;
  }
  // A running gateway learns of tokens that are made beside it soon, not at once.
  const end = Date.now() + 10_000;
  while ((await api('narrow', 'GET', '/registry')).status !== 200 && Date.now() < end) await sleep(50);
});
afterAll(async () => {
  await gateway.stop();
});

async function api(
  who: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[who] ?? gateway.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function groupsOf(who: string): Promise<string[]> {
  const { body } = await api(who, 'GET', '/registry');
  return (body['groups'] as { name: string }[]).map(({ name }) => name);
}

async function toolsAt(who: string, path: string): Promise<string[]> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${tokens[who] ?? ''}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

describe('a group’s users', () => {
  it('see and call its servers, and nobody else learns of them', async () => {
    expect(await groupsOf('alice')).toEqual(['open', 'prod', 'other']);
    expect(await groupsOf('mia')).toEqual(['open', 'prod', 'other']);
    expect(await groupsOf('bob')).toEqual(['open', 'other']);
    expect(await groupsOf('narrow')).toEqual(['open']);
    expect(await groupsOf('owner')).toEqual(['open', 'prod', 'other']);

    expect(await toolsAt('alice', '/mcp/prod/everything-mcp')).toContain('echo');
    for (const path of ['/mcp/prod', '/mcp/prod/everything-mcp']) {
      await expect(toolsAt('bob', path)).rejects.toThrow(/nothing at/);
      await expect(toolsAt('narrow', path)).rejects.toThrow(/nothing at/);
    }
    expect((await toolsAt('bob', '/mcp')).some((name) => name.startsWith('prod__'))).toBe(false);
    expect((await toolsAt('alice', '/mcp')).some((name) => name.startsWith('prod__'))).toBe(true);
    const call = { server: 'prod:everything-mcp', tool: 'echo', arguments: { message: 'hello' } };
    expect((await api('alice', 'POST', '/calls', call)).status).toBe(200);
    expect(await api('bob', 'POST', '/calls', call)).toMatchObject({
      status: 404,
      body: { detail: 'there is no server "prod:everything-mcp"' },
    });
    const open = await fetch(`${gateway.address}/v0.1/servers`);
    expect(await open.text()).not.toContain('prod');
  });
});

describe('a group’s managers', () => {
  it('change its servers, and those of no other group', async () => {
    const path = '/groups/prod/servers/everything-mcp';
    const changes = { description: 'Everything', tools: [{ match: 'echo', effect: 'deny' }] };
    for (const who of ['alice', 'bob', 'narrow'])
      expect((await api(who, 'PATCH', path, { changes })).status, who).toBe(403);
    expect((await api('mia', 'PATCH', path, { changes })).status).toBe(200);
    await expect.poll(() => toolsAt('alice', '/mcp/prod/everything-mcp')).not.toContain('echo');
    expect((await api('mia', 'PATCH', path, { changes: { tools: null } })).status).toBe(200);

    const server = { name: 'found', url: 'https://mcp.example.invalid/mcp', tags: ['new'] };
    expect((await api('mia', 'POST', '/groups/prod/servers', { server })).status).toBe(200);
    expect((await api('mia', 'POST', '/groups/open/servers', { server })).status).toBe(403);
    expect((await api('mia', 'POST', '/groups/prod/servers/found/move', { group: 'open' })).status).toBe(403);
    expect((await api('mia', 'POST', '/groups/prod/servers/found/promote', { group: 'open' })).status).toBe(
      403,
    );
    expect((await api('mia', 'DELETE', '/groups/prod/servers/found')).status).toBe(200);
  });

  it.each([
    ['a command', 'POST', '/groups/prod/servers', { server: { name: 'x', command: 'sh' } }],
    [
      'a private address',
      'POST',
      '/groups/prod/servers',
      { server: { name: 'x', url: 'http://10.0.0.1/', allowPrivateAddress: true } },
    ],
    [
      'a reference',
      'POST',
      '/groups/prod/servers',
      {
        server: {
          name: 'x',
          url: 'https://a.example/',
          auth: { type: 'header', headers: { a: '${env:HOME}' } },
        },
      },
    ],
    [
      'a reference in a fixed argument',
      'PATCH',
      '/groups/prod/servers/keyed',
      { changes: { tools: [{ match: 'a', fixed: { key: '${env:PATH}' } }] } },
    ],
    [
      'another place for a credential',
      'PATCH',
      '/groups/prod/servers/keyed',
      { changes: { url: 'https://evil.example/' } },
    ],
    ['another program', 'PATCH', '/groups/prod/servers/everything-mcp', { changes: { args: ['-e', '0'] } }],
    ['trust in changes', 'PATCH', '/groups/prod/servers/keyed', { changes: { pins: 'trust' } }],
  ])('do not give it %s', async (_what, method, path, body) => {
    const before = (await api('owner', 'GET', '/config')).body['text'];
    expect(await api('mia', method, path, body)).toMatchObject({
      status: 403,
      body: { rule: 'administrator' },
    });
    expect((await api('owner', 'GET', '/config')).body['text']).toBe(before);
  });

  it('change neither the group, nor other groups, nor the gateway', async () => {
    for (const [method, path] of [
      ['PATCH', '/groups/prod'],
      ['DELETE', '/groups/prod'],
      ['POST', '/groups'],
      ['GET', '/config'],
      ['PUT', '/config'],
      ['GET', '/activity'],
      ['POST', '/servers/test'],
      ['POST', '/pins/accept'],
    ] as const)
      expect((await api('mia', method, path, method === 'GET' ? undefined : {})).status, path).toBe(403);
  });
});

it('a group’s access is set over the API, and holds at once', async () => {
  expect(await groupsOf('bob')).toContain('other');
  const changes = { access: { use: ['user:alice'] } };
  expect((await api('owner', 'PATCH', '/groups/other', { changes })).status).toBe(200);
  expect(await groupsOf('bob')).not.toContain('other');
  expect(await groupsOf('alice')).toContain('other');
  const wrong = await api('owner', 'PATCH', '/groups/other', { changes: { access: { use: ['alice'] } } });
  expect(wrong).toMatchObject({ status: 400, body: { field: 'groups[2].access.use[0]' } });
});
