import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { guardListSchema } from '../../gateway/contract/guards.ts';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { sendRaw, statuses } from '../support/raw-http.ts';

let gateway: RunningGateway;
let upstream: CountingServer;
let host: string;

beforeAll(async () => {
  upstream = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    servers:
      - ${upstream.entry('counting')}
`,
  });
  ({ host } = new URL(gateway.address));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.close();
});

const auth = (): string => `authorization: Bearer ${gateway.token}\r\n`;
const get = (path: string, headers: string): string =>
  `GET ${path} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`;
const post = (body: string, headers = '', path = '/api/v1/calls'): string =>
  `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${auth()}content-type: application/json\r\n${headers}connection: close\r\n\r\n${body}`;
const sized = (body: string): string => post(body, `content-length: ${Buffer.byteLength(body)}\r\n`);
const refused = async (bytes: string, ...expected: number[]): Promise<string> => {
  const answer = await sendRaw(gateway.address, bytes);
  expect(expected, answer.slice(0, 300)).toContain(statuses(answer)[0]);
  expect(statuses(answer)).toHaveLength(1);
  return answer;
};

it('answers no name but its own: rebinding, a missing Host, several, an absolute address', async () => {
  expect(
    statuses(await sendRaw(gateway.address, get('/api/v1/registry', `host: ${host}\r\n${auth()}`))),
  ).toEqual([200]);
  for (const name of [
    'evil.example',
    `evil.example:${new URL(gateway.address).port}`,
    `${host}.evil.example`,
    `${host}@evil.example`,
  ])
    expect(await refused(get('/api/v1/registry', `host: ${name}\r\n${auth()}`), 403)).toContain(
      '"rule":"host"',
    );
  await refused(get('/api/v1/registry', auth()), 400);
  await refused(get('/api/v1/registry', `host: ${host}\r\nhost: evil.example\r\n${auth()}`), 400);
  await refused(get(`http://evil.example/api/v1/registry`, `host: ${host}\r\n${auth()}`), 404);
});

it('answers no page of another origin, also to requests that a page may send unasked (CSRF)', async () => {
  for (const origin of [
    'http://evil.example',
    'null',
    `https://${host}`,
    `http://${host}.evil.example`,
    'file://',
  ]) {
    expect(await refused(get('/', `host: ${host}\r\norigin: ${origin}\r\n`), 403)).toContain(
      '"rule":"origin"',
    );
    const form = `POST /api/v1/calls HTTP/1.1\r\nhost: ${host}\r\norigin: ${origin}\r\n${auth()}content-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`;
    expect(await refused(form, 403)).toContain('"rule":"origin"');
  }
  // No cookie stands for a token, so there is nothing that a browser would send along.
  await refused(get('/api/v1/registry', `host: ${host}\r\ncookie: token=${gateway.token}\r\n`), 401);
  expect(
    await refused(
      `OPTIONS /api/v1/registry HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
      401,
      404,
    ),
  ).not.toMatch(/access-control-allow/i);
});

it('takes no token in an address, and paths only as they are written', async () => {
  expect(await refused(get(`/mcp?token=${gateway.token}`, `host: ${host}\r\n`), 400)).toContain(
    'token-in-address',
  );
  for (const path of [
    '/assets/../package.json',
    '/assets/..%2f..%2fpackage.json',
    '/assets/%2e%2e/gateway.js',
    '//api/v1/registry',
    '/mcp/../api/v1/registry',
    '/mcp/g%2fcounting',
    '/mcp/g/counting/..',
    '/api//v1/registry',
    '/api/v1/registry%00',
  ])
    expect(
      (await refused(get(path, `host: ${host}\r\n${auth()}`), 400, 404, 405)).toLowerCase(),
    ).not.toContain('"groups"');
});

it('refuses smuggled and malformed requests, and never answers a second one hidden in the first', async () => {
  const hidden = `GET /api/v1/registry HTTP/1.1\r\nhost: ${host}\r\n${auth()}\r\n`;
  await refused(post(`0\r\n\r\n${hidden}`, 'content-length: 4\r\ntransfer-encoding: chunked\r\n'), 400);
  await refused(
    post(`0\r\n\r\n${hidden}`, 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n'),
    400,
  );
  await refused(post(`0\r\n\r\n${hidden}`, 'transfer-encoding : chunked\r\n'), 400);
  await refused(post(`{}${hidden}`, 'content-length: 2\r\ncontent-length: 3\r\n'), 400);
  await refused(post('{}', 'content-length: -2\r\n'), 400);
  await refused(get('/healthz', `host: ${host}\r\nx: a\r\n b\0\r\n`), 400);
  await refused(get('/healthz', `host: ${host}\r\nx: ${'a'.repeat(20_000)}\r\n`), 431);
  await refused(get(`/${'a'.repeat(20_000)}`, `host: ${host}\r\n`), 431);
});

it('bounds bodies, with and without a length, and how deep they nest', async () => {
  await refused(post('', 'content-length: 999999999999\r\n'), 413);
  const piece = 'a'.repeat(1024 * 1024);
  const chunks = `${piece.length.toString(16)}\r\n${piece}\r\n`.repeat(20);
  await refused(post(chunks, 'transfer-encoding: chunked\r\n'), 413);
  const deep = (depth: number): string =>
    `{"server":"g:counting","tool":"free","arguments":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
  expect(await refused(sized(deep(100_000)), 400)).toContain('deeper than 128');
  expect(await refused(sized(deep(127)), 400)).toContain('deeper than 128');
  const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;
  expect(await refused(post(message, `content-length: ${message.length}\r\n`, '/mcp'), 400)).toContain(
    'deeper than 128',
  );
  // Brackets in a text are no levels.
  const text = JSON.stringify({ server: 'g:none', tool: 'x', arguments: { a: `\\"${'['.repeat(500)}` } });
  expect(await refused(sized(text), 404)).not.toContain('deeper');
});

it('takes names of an object’s own machinery as plain names', async () => {
  for (const body of [
    '{"server":"g:counting","tool":"__proto__","arguments":{}}',
    '{"server":"__proto__","tool":"constructor","arguments":{}}',
    '{"server":"g:counting","tool":"toString","arguments":{"__proto__":{"polluted":true}}}',
    '{"__proto__":{"server":"g:counting","tool":"free"},"arguments":{}}',
  ])
    await refused(sized(body), 400, 404);
  await refused(get('/mcp/__proto__', `host: ${host}\r\n${auth()}`), 400, 404);
  expect(statuses(await sendRaw(gateway.address, get('/healthz', `host: ${host}\r\n`)))).toEqual([200]);
});

it('a session is of no use to another token, nor at another address', async () => {
  const client = new Client({ name: 'owner', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  const created = await fetch(`${gateway.address}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'thief', subject: 'user:thief' }),
  });
  const { token: value } = newTokenSchema.parse(await created.json());
  expect(value).toMatch(/^tg_/);
  const list = JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/list', params: {} });
  const steal = (path: string, token: string): Promise<Response> =>
    fetch(`${gateway.address}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': transport.sessionId ?? '',
      },
      body: list,
    });
  expect((await steal('/mcp', gateway.token)).status).toBe(200);
  expect((await steal('/mcp', value)).status).toBe(404);
  expect((await steal('/mcp/g', gateway.token)).status).toBe(404);
  await client.close();
});

it('clients that write slowly are let go, and keep nobody waiting', { timeout: 100_000 }, async () => {
  // The head comes at once, and the body never.
  const bodies = Array.from({ length: 10 }, () =>
    sendRaw(gateway.address, post('{"server":', 'content-length: 1000\r\n'), 85_000),
  );
  // The body comes, a byte a second.
  const dripping = Array.from({ length: 10 }, () =>
    sendRaw(gateway.address, post('{"server":', 'content-length: 1000\r\n'), 85_000, ' '),
  );
  const slow = Array.from({ length: 50 }, () =>
    sendRaw(gateway.address, `POST /mcp HTTP/1.1\r\nhost: ${host}\r\n`, 45_000),
  );
  const began = Date.now();
  expect(statuses(await sendRaw(gateway.address, get('/healthz', `host: ${host}\r\n`)))).toEqual([200]);
  expect(Date.now() - began).toBeLessThan(5_000);
  for (const answer of await Promise.all([...slow, ...bodies, ...dripping]))
    expect(statuses(answer)).toEqual([408]);
});

it('says which guards are on, to administrators and in the log', async () => {
  const response = await fetch(`${gateway.address}/api/v1/guards`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { guards } = guardListSchema.parse(await response.json());
  const found = Object.fromEntries(guards.map(({ name, ...rest }) => [name, rest]));
  expect(found['private-addresses']).toEqual({ active: false, detail: 'lifted for g:counting' });
  expect(found['pins']?.active).toBe(true);
  expect(found['host']?.detail).toContain(host);
  expect(found['transport']).toEqual({ active: true, detail: 'this machine only' });
  expect(gateway.output()).toContain('"private-addresses":"lifted for g:counting"');
});

it('whatever was tried here reached no server', () => {
  expect(upstream.seen).toEqual([]);
});
