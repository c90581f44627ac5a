import { readFile, stat, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  newTokenSchema,
  tokenListSchema,
  type TokenRequest,
  type TokenView,
} from '../../gateway/contract/tokens.ts';
import { toolgate } from '../support/cli.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { PROGRAM, startGateway, type RunningGateway } from '../support/gateway.ts';

let database: CountingServer;
let gateway: RunningGateway;

beforeAll(async () => {
  database = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
subjects:
  serviceAccounts: [{ name: bot }]
groups:
  - name: data
    access: { use: ["user:ann", "serviceaccount:bot"] }
    servers: [${['one', 'two'].map((name) => database.entry(name)).join(', ')}]
  - name: other
    servers: [${database.entry('three')}]
models:
  providers: [{ name: demo, type: demo }]
  access: [{ models: ["demo/*"], use: [everyone] }]
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function api(token: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function make(request: TokenRequest, by = gateway.token): Promise<{ token: string; view: TokenView }> {
  const { status, body } = await api(by, 'POST', '/tokens', request);
  expect(status, JSON.stringify(body)).toBe(200);
  return newTokenSchema.parse(body);
}

async function listed(by: string): Promise<TokenView[]> {
  return tokenListSchema.parse((await api(by, 'GET', '/tokens')).body).tokens;
}

async function serversOf(token: string): Promise<string[]> {
  const { body } = await api(token, 'GET', '/registry');
  const groups = body['groups'] as { servers: { fqn: string }[] }[];
  return groups.flatMap(({ servers }) => servers.map(({ fqn }) => fqn));
}

const call = (token: string, server: string, tool = 'listCollections'): Promise<Answer> =>
  api(token, 'POST', '/calls', { server, tool, arguments: {} });

describe('P83 P109 a personal access token', () => {
  it('is shown once, and listed with all but its value', async () => {
    const { token, view } = await make({ name: 'ann', subject: 'user:ann', expires: '30d' });
    expect(token).toMatch(/^tg_pat_/);
    expect((await call(token, 'data:one')).status).toBe(200);
    const all = await listed(gateway.token);
    expect(JSON.stringify(all)).not.toContain(token);
    const seen = all.find(({ id }) => id === view.id);
    expect(seen).toMatchObject({ name: 'ann', subject: 'user:ann', kind: 'pat', administrator: false });
    expect(seen?.lastUsedAt).not.toBeNull();
    expect(await readFile(join(gateway.dataDir, 'config.json'), 'utf8').catch(() => '')).not.toContain(token);
  });

  it('makes others of its subject that may no more than itself, and sees its own alone', async () => {
    const { token } = await make({
      name: 'ann 2',
      subject: 'user:ann',
      expires: '1d',
      scope: { servers: ['data:one'] },
    });
    const ask = (request: TokenRequest): Promise<Answer> => api(token, 'POST', '/tokens', request);
    for (const [request, field] of [
      [{ name: 'x', subject: 'user:eve' }, 'subject'],
      [{ name: 'x', administrator: true }, 'administrator'],
      [{ name: 'x' }, 'scope.servers'],
      [{ name: 'x', scope: { servers: ['data:one', 'data:two'] } }, 'scope.servers'],
      [{ name: 'x', scope: { servers: ['data:one'] }, expires: '2d' }, 'expires'],
    ] as const) {
      const { status, body } = await ask(request as unknown as TokenRequest);
      expect([400, 403], JSON.stringify(body)).toContain(status);
      expect(body['field'], JSON.stringify(request)).toBe(field);
    }
    const { view } = await make({ name: 'ann 3', scope: { servers: ['data:one'] } }, token);
    // It ends with the token that made it.
    expect(view.expiresAt).not.toBeNull();
    expect((await listed(token)).map(({ name }) => name)).toEqual(['ann 2']);
    expect((await api(token, 'DELETE', `/tokens/${view.id}`)).status).toBe(404);
  });
});

describe('P84 P110 P165 a service account’s token', () => {
  it('reaches what it lists and nothing else', async () => {
    const { token, view } = await make({
      name: 'bot',
      subject: 'serviceaccount:bot',
      scope: { servers: ['data:one'], tools: ['data:one:list*'], models: [] },
    });
    expect(token).toMatch(/^tg_vat_/);
    expect(view.kind).toBe('vat');
    expect(await serversOf(token)).toEqual(['toolgate:data:one']);
    database.clear();
    expect((await call(token, 'data:one')).status).toBe(200);
    expect(database.seen).toHaveLength(1);
    expect((await call(token, 'data:one', 'runAggregation')).status).toBe(404);
    expect((await call(token, 'data:two')).status).toBe(404);
    expect(database.seen).toHaveLength(1);
    const run = await fetch(`${gateway.address}/api/llm/agent/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo/planner', messages: [{ role: 'user', content: 'x' }] }),
    });
    expect(run.status).toBe(404);
  });

  it('must list something, for an account that is declared, of what there is', async () => {
    for (const [request, field] of [
      [{ subject: 'serviceaccount:bot' }, 'scope.servers'],
      [{ subject: 'serviceaccount:nobody', scope: { servers: ['data:one'] } }, 'subject'],
      [{ subject: 'serviceaccount:bot', scope: { servers: ['data:nine'] } }, 'scope.servers'],
      [{ subject: 'serviceaccount:bot', scope: { tools: ['data:nine:x'] } }, 'scope.tools'],
      [{ subject: 'serviceaccount:bot', scope: { groups: ['nine'] } }, 'scope.groups'],
      [{ subject: 'user:ann', administrator: true }, 'administrator'],
      [{ expires: 'soon' }, 'expires'],
    ] as const) {
      const { status, body } = await api(gateway.token, 'POST', '/tokens', { name: 'wrong', ...request });
      expect(status, JSON.stringify(request)).toBe(400);
      expect(body['field']).toBe(field);
    }
  });
});

describe('P51 P52 a token', () => {
  it('ends when its time is over', async () => {
    const { token } = await make({ name: 'short', subject: 'user:ann', expires: '1s' });
    expect((await call(token, 'data:one')).status).toBe(200);
    await expect.poll(async () => (await call(token, 'data:one')).status, { timeout: 5_000 }).toBe(401);
  });

  it('is rotated: the value before holds for the grace period, or not at all', async () => {
    const { token, view } = await make({ name: 'turning', subject: 'user:ann' });
    const rotate = async (grace: string): Promise<string> =>
      newTokenSchema.parse((await api(gateway.token, 'POST', `/tokens/${view.id}/rotate`, { grace })).body)
        .token;
    const second = await rotate('1s');
    expect((await call(token, 'data:one')).status).toBe(200);
    expect((await call(second, 'data:one')).status).toBe(200);
    await expect.poll(async () => (await call(token, 'data:one')).status, { timeout: 5_000 }).toBe(401);
    const third = await rotate('0s');
    expect((await call(second, 'data:one')).status).toBe(401);
    expect((await call(third, 'data:one')).status).toBe(200);
  });

  it('is revoked, alone or with all of its subject, and its open streams end', async () => {
    const one = await make({ name: 'gone', subject: 'user:ann' });
    const stream = await fetch(`${gateway.address}/api/v1/events`, {
      headers: { authorization: `Bearer ${one.token}` },
    });
    expect(stream.status).toBe(200);
    const ended = stream.text().catch(() => 'cut');
    expect((await api(gateway.token, 'DELETE', `/tokens/${one.view.id}`)).body).toEqual({
      revoked: [one.view.id],
    });
    expect((await call(one.token, 'data:one')).status).toBe(401);
    await ended;
    const others = await Promise.all(['a', 'b'].map((name) => make({ name, subject: 'user:leaver' })));
    const { body } = await api(gateway.token, 'DELETE', '/tokens?subject=user:leaver');
    expect((body['revoked'] as string[]).toSorted()).toEqual(others.map(({ view }) => view.id).sort());
    for (const { token } of others) expect((await call(token, 'data:one')).status).toBe(401);
  });

  it('is taken in the spellings of the clients there are, once, and not in an address', async () => {
    const ask = (headers: Record<string, string>, path = '/api/v1/registry'): Promise<Response> =>
      fetch(gateway.address + path, { headers });
    for (const name of ['x-api-key', 'api-key'])
      expect((await ask({ [name]: gateway.token })).status).toBe(200);
    const both = { authorization: `Bearer ${gateway.token}`, 'x-api-key': 'tg_pat_other' };
    expect((await ask(both)).status).toBe(401);
    expect((await ask({ ...both, 'x-api-key': gateway.token })).status).toBe(200);
    const inAddress = await ask({}, `/api/v1/registry?token=${gateway.token}`);
    expect(await inAddress.json()).toMatchObject({ status: 400, rule: 'token-in-address' });
  });
});

describe('on the command line', () => {
  it('tokens are made, listed, rotated and revoked beside a running gateway', async () => {
    const where = ['--config', gateway.configFile, '--data', gateway.dataDir];
    const made = await toolgate([
      ...['token', 'create', '--name', 'cli bot', '--subject', 'serviceaccount:bot', '--server', 'data:two'],
      ...where,
    ]);
    const first = made.stdout.trim();
    expect(made.stderr).toContain('not shown again');
    expect((await call(first, 'data:two')).status).toBe(200);
    const rotated = await toolgate(['token', 'rotate', 'cli bot', '--grace', '0s', ...where]);
    expect((await call(rotated.stdout.trim(), 'data:two')).status).toBe(200);
    expect((await call(first, 'data:two')).status).toBe(401);
    const { stdout } = await toolgate(['token', 'list', ...where]);
    expect(stdout).toMatch(/cli bot +serviceaccount:bot +servers: data:two; models: none/);
    expect((await toolgate(['token', 'revoke', '--all-of', 'serviceaccount:bot', ...where])).stdout).toMatch(
      /Revoked \d/,
    );
    expect((await call(rotated.stdout.trim(), 'data:two')).status).toBe(401);
    const wrong = await toolgate(['token', 'create', '--name', 'w', '--server', 'data:nine', ...where]);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('--server: there is no server "data:nine"');
  });

  it('the first start makes an administrator’s token, once, and no log has it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolgate-first-'));
    await writeFile(join(folder, 'toolgate.yaml'), 'version: 1\n');
    const start = async (): Promise<{ output: () => string; stop: () => Promise<void> }> => {
      const child = spawn(process.execPath, [
        PROGRAM,
        'serve',
        '--config',
        join(folder, 'toolgate.yaml'),
        '--port',
        '0',
      ]);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await expect.poll(() => output, { timeout: 15_000 }).toContain('No servers yet');
      const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
      return {
        output: () => output,
        stop: () => {
          child.kill();
          return closed;
        },
      };
    };
    const first = await start();
    const file = join(folder, 'data', 'administrator.token');
    const token = (await readFile(file, 'utf8')).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(first.output()).toContain(file);
    expect(first.output()).not.toContain(token);
    const address = /MCP +(\S+)\/mcp/.exec(first.output())?.[1] ?? '';
    const answer = await fetch(`${address}/api/v1/tokens`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    await first.stop();
    const second = await start();
    expect(second.output()).not.toContain('administrator token');
    await second.stop();
  });
});

// Last, since it has this address wait.
it('a flood of wrong tokens is told to wait, and the right one is not', async () => {
  const statuses = [];
  for (let at = 0; at < 60; at++) statuses.push((await call(`tg_pat_wrong${at}`, 'data:one')).status);
  expect(statuses[0]).toBe(401);
  expect(statuses.at(-1)).toBe(429);
  const answer = await fetch(`${gateway.address}/api/v1/registry`, { headers: { 'x-api-key': 'wrong' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await call(gateway.token, 'data:one')).status).toBe(200);
});
