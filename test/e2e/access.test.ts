import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

let gateway: RunningGateway;
let narrow: string;

beforeAll(async () => {
  const rules =
    ', tools: [{ match: "sub*", effect: deny }, { match: divide, effect: deny }, { match: divide, effect: allow }]';
  gateway = await startGateway({
    config: configOf({ common: [CALCULATOR(await freePort(), rules)], secret: [EVERYTHING] }),
  });
  narrow = (await create('narrow', '--group', 'common')).token;
});
afterAll(async () => {
  await gateway.stop();
});

async function create(name: string, ...more: string[]): Promise<{ id: string; token: string }> {
  const args = [
    'token',
    'create',
    '--config',
    gateway.configFile,
    '--data',
    gateway.dataDir,
    '--name',
    name,
    '--json',
    ...more,
  ];
  const { stdout, stderr, code } = await toolgate(args);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as { id: string; token: string };
}

function mcp(
  path: string,
  token: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(gateway.address + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

async function session(path: string, token: string): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const answer = await mcp(path, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
  expect(answer.status).toBe(200);
  return answer.headers.get('mcp-session-id')!;
}

async function rpc(
  path: string,
  token: string,
  method: string,
  params: object,
): Promise<Record<string, never>> {
  const id = await session(path, token);
  return (await (
    await mcp(path, token, { jsonrpc: '2.0', id: 2, method, params }, { 'mcp-session-id': id })
  ).json()) as never;
}

const toolNames = (answer: unknown): string[] =>
  (answer as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);

describe('tokens', () => {
  it('P84 take effect at once when made by the command line, and stop at once when revoked', async () => {
    const { id, token } = await create('short-lived');
    await expect.poll(async () => (await registry(token)).status).toBe(200);
    await toolgate(['token', 'revoke', id, '--config', gateway.configFile, '--data', gateway.dataDir]);
    await expect.poll(async () => (await registry(token)).status).toBe(401);
  });

  it('P51 expire', async () => {
    const { token } = await create('brief', '--expires', '1500ms');
    await expect.poll(async () => (await registry(token)).status).toBe(200);
    await expect.poll(async () => (await registry(token)).status, { timeout: 5_000 }).toBe(401);
  });

  it('are listed without their value, with their last use', async () => {
    await rpc('/mcp/common/calculator-mcp', narrow, 'tools/call', { name: 'add', arguments: { a: 1, b: 1 } });
    // Calls are written in batches: the record is there within a second.
    const list = ['token', 'list', '--config', gateway.configFile, '--data', gateway.dataDir, '--json'];
    const lastUse = async (): Promise<string | null | undefined> => {
      const { stdout } = await toolgate(list);
      expect(stdout).not.toContain('tg_pat_');
      const tokens = JSON.parse(stdout) as { name: string; lastUsedAt: string | null }[];
      return tokens.find(({ name }) => name === 'narrow')?.lastUsedAt;
    };
    await expect.poll(lastUse, { timeout: 5_000 }).toMatch(/^\d{4}-/);
  });

  it.each([
    ['none', undefined],
    ['another form', 'Bearer hunter2'],
    ['a wrong checksum', `Bearer tg_pat_${'A'.repeat(43)}000000`],
  ])('%s is refused with 401 and a challenge', async (_name, authorization) => {
    const answer = await fetch(`${gateway.address}/mcp`, {
      method: 'POST',
      ...(authorization && { headers: { authorization } }),
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });
});

describe('what a token may see and call', () => {
  it('P86 P111 P112 a narrowed token neither lists, finds nor reaches another group', async () => {
    const { groups } = (await (await registry(narrow)).json()) as { groups: { name: string }[] };
    expect(groups.map(({ name }) => name)).toEqual(['common']);
    expect(
      toolNames(await rpc('/mcp', narrow, 'tools/list', {})).every((name) => name.startsWith('calculator')),
    ).toBe(true);
    const hidden = await rpc('/mcp', narrow, 'tools/call', {
      name: 'everything-mcp__echo',
      arguments: { message: 'x' },
    });
    const unknown = await rpc('/mcp', narrow, 'tools/call', { name: 'everything-mcp__nope', arguments: {} });
    expect(hidden['error']).toEqual({ code: -32602, message: 'Unknown tool: everything-mcp__echo' });
    expect(unknown['error']).toEqual({ code: -32602, message: 'Unknown tool: everything-mcp__nope' });
    expect((await call(narrow, 'secret:everything-mcp', 'echo')).status).toBe(404);
    expect(
      (await mcp('/mcp/secret', narrow, { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })).status,
    ).toBe(404);
    expect(
      (await mcp('/mcp/nowhere', narrow, { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })).status,
    ).toBe(404);
  });

  it('P41 P113 P114 a denied tool is not listed, is unknown by every path, and never reaches the server', async () => {
    const before = await activityOf('subtract');
    expect(toolNames(await rpc('/mcp/common/calculator-mcp', narrow, 'tools/list', {}))).toEqual([
      'add',
      'multiply',
    ]);
    for (const name of ['subtract', 'divide']) {
      const answer = await rpc('/mcp/common/calculator-mcp', narrow, 'tools/call', {
        name,
        arguments: { a: 1, b: 2 },
      });
      expect(answer['error']).toEqual({ code: -32602, message: `Unknown tool: ${name}` });
      expect((await call(narrow, 'calculator-mcp', name)).status).toBe(404);
    }
    const after = await activityOf('subtract');
    const fresh = after.slice(0, after.length - before.length);
    expect(fresh.map(({ outcome, upstreamMs, rule }) => ({ outcome, upstreamMs, rule }))).toEqual([
      { outcome: 'not-found', upstreamMs: 0, rule: 'groups[0].servers[0].tools[0]' },
    ]);
  });

  it('administration needs an administrator’s token', async () => {
    for (const path of ['/api/v1/activity', '/api/v1/pins']) {
      const answer = await fetch(gateway.address + path, { headers: { authorization: `Bearer ${narrow}` } });
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ status: 403, rule: 'administrator' });
    }
  });

  it('the tenant’s alias resolves; another tenant does not', async () => {
    expect((await call(narrow, 'truefoundry:common:calculator-mcp', 'add')).status).toBe(200);
    expect((await call(narrow, 'someone:common:calculator-mcp', 'add')).status).toBe(404);
  });
});

describe('sessions', () => {
  it('belong to the token and the address they were opened with', async () => {
    const id = await session('/mcp/common', narrow);
    const ping = { jsonrpc: '2.0', id: 2, method: 'ping' };
    expect((await mcp('/mcp/common', narrow, ping, { 'mcp-session-id': id })).status).toBe(200);
    expect((await mcp('/mcp/common', gateway.token, ping, { 'mcp-session-id': id })).status).toBe(404);
    expect((await mcp('/mcp', narrow, ping, { 'mcp-session-id': id })).status).toBe(404);
    expect((await mcp('/mcp/common', narrow, ping)).status).toBe(400);
  });

  it('end with DELETE', async () => {
    const id = await session('/mcp', narrow);
    const headers = { authorization: `Bearer ${narrow}`, 'mcp-session-id': id };
    expect((await fetch(`${gateway.address}/mcp`, { method: 'DELETE', headers })).status).toBe(200);
    expect((await mcp('/mcp', narrow, { jsonrpc: '2.0', id: 2, method: 'ping' }, headers)).status).toBe(404);
  });
});

describe('the perimeter', () => {
  const get = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${gateway.address}/healthz`, { headers }, (res) => {
        res.resume();
        resolve(res.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });

  it('refuses other hosts and origins, also without a token', async () => {
    expect(await get({})).toBe(200);
    expect(await get({ host: 'evil.example.com' })).toBe(403);
    expect(await get({ host: 'localhost' })).toBe(403);
    expect(await get({ origin: 'https://evil.example.com' })).toBe(403);
    expect(await get({ origin: 'null' })).toBe(403);
    expect(await get({ origin: gateway.address })).toBe(200);
  });

  it('refuses a request with two hosts, of which others could take the second', async () => {
    const { port, host } = new URL(gateway.address);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.end(
          `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nhost: evil.example.com\r\nConnection: close\r\n\r\n`,
        );
      });
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('refuses a body over the limit with 413', async () => {
    const id = await session('/mcp', narrow);
    const big = { jsonrpc: '2.0', id: 3, method: 'ping', params: { x: 'x'.repeat(17 * 1024 * 1024) } };
    const status = await mcp('/mcp', narrow, big, { 'mcp-session-id': id }).then(
      (answer) => answer.status,
      () => 413,
    );
    expect(status).toBe(413);
  });
});

function registry(token: string): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/registry`, { headers: { authorization: `Bearer ${token}` } });
}

function call(token: string, server: string, tool: string): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server, tool, arguments: { a: 1, b: 2 } }),
  });
}

async function activityOf(name: string): Promise<{ outcome: string; upstreamMs: number; rule: string }[]> {
  const answer = await fetch(`${gateway.address}/api/v1/activity?limit=1000`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { calls } = (await answer.json()) as {
    calls: { name: string; outcome: string; upstreamMs: number; rule: string }[];
  };
  return calls.filter((entry) => entry.name === name);
}
