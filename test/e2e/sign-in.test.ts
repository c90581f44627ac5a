import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { codeOf, consoleLink, TestBrowser } from '../support/browser-session.ts';
import { toolgate } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { sendRaw, statuses } from '../support/raw-http.ts';

const CONFIG = `version: 1
subjects:
  users: [{ name: "fay@example.com" }]
groups: [{ name: data, access: { use: ["user:fay@example.com"] } }, { name: hr }]
models: { providers: [{ name: demo, type: demo }] }
`;
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({ config: CONFIG });
});
afterAll(() => gateway.stop());

const browser = (): TestBrowser => new TestBrowser(gateway.address);
async function signedIn(token = gateway.token): Promise<TestBrowser> {
  const one = browser();
  const code = codeOf(await consoleLink({ ...gateway, token }));
  expect((await one.signIn({ code })).status).toBe(200);
  return one;
}

async function tokenOf(wish: object): Promise<{ token: string; id: string }> {
  const response = await fetch(`${gateway.address}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: `t-${Math.random()}`, ...wish }),
  });
  const { token, view } = newTokenSchema.parse(await response.json());
  return { token, id: view.id };
}

const api = (method: string, path: string): Promise<Response> =>
  fetch(`${gateway.address}${path}`, { method, headers: { authorization: `Bearer ${gateway.token}` } });

describe('a one-time link', () => {
  it('is what serve prints, and signs a browser in as whoever the token is', async () => {
    const [, code = ''] = /#code=([\w-]{43})/.exec(gateway.output()) ?? [];
    const one = browser();
    expect(await one.subject()).toBeUndefined();
    const answer = await one.signIn({ code });
    expect(await answer.json()).toMatchObject({ subject: 'user:owner', administrator: true });
    expect(await one.subject()).toBe('user:owner');
    expect(await one.status()).toBe(200);
    expect(await one.status('/api/llm/models')).toBe(200);
    expect(gateway.output()).not.toContain('#token=');
  });

  it('comes from the command line too', async () => {
    const env = { TOOLGATE_TOKEN: gateway.token, TOOLGATE_GATEWAY: gateway.address };
    const { code, stdout, stderr } = await toolgate(['console'], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'It works once, within 5 minutes.\n' });
    expect((await browser().signIn({ code: codeOf(stdout.trim()) })).status).toBe(200);
    expect((await toolgate(['console'], { ...env, TOOLGATE_TOKEN: 'tg_pat_wrong' })).code).toBe(1);
  });

  it('serves once: of many who come with it at the same time one gets in', async () => {
    const code = codeOf(await consoleLink(gateway));
    const all = await Promise.all(Array.from({ length: 12 }, () => browser().signIn({ code })));
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 11 }, () => 401)]);
    expect((await browser().signIn({ code })).status).toBe(401);
  });

  it('is made with a token alone, so that a sign-in does not prolong itself', async () => {
    const one = await signedIn();
    expect((await one.post('/api/v1/sign-in/links', {})).status).toBe(403);
    expect((await browser().post('/api/v1/sign-in/links', {})).status).toBe(401);
  });

  it('ends with the token it was made with', async () => {
    const { token, id } = await tokenOf({ subject: 'user:fay@example.com' });
    const code = codeOf(await consoleLink({ ...gateway, token }));
    const one = await signedIn(token);
    expect(await one.subject()).toBe('user:fay@example.com');
    await api('DELETE', `/api/v1/tokens/${id}`);
    expect(await one.status()).toBe(401);
    expect((await browser().signIn({ code })).status).toBe(403);
  });
});

describe('a browser that is signed in', () => {
  it('may no more than its token, and another may nothing by it', async () => {
    const { token } = await tokenOf({ subject: 'user:fay@example.com' });
    const one = await signedIn(token);
    const { groups } = (await (await one.fetch('/api/v1/registry')).json()) as { groups: { name: string }[] };
    expect(groups.map(({ name }) => name)).toEqual(['data']);
    expect((await one.fetch('/api/v1/activity')).status).toBe(403);
    const view = (await (await one.fetch('/api/v1/sign-in')).json()) as unknown;
    expect(view).toMatchObject({ signedIn: { subject: 'user:fay@example.com', administrator: false } });
  });

  it('holds a cookie that no script reads and no other site gets sent, and a new one each time', async () => {
    const one = await signedIn();
    const [first = ''] = one.setCookies;
    const { port } = new URL(gateway.address);
    expect(first).toMatch(
      new RegExp(`^toolgate-${port}-sign-in=[\\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`),
    );
    const before = [...one.cookies.values()][0] ?? '';
    await one.signIn({ token: gateway.token });
    expect([...one.cookies.values()]).not.toContain(before);
    // The one before is over, not only replaced.
    const thief = browser();
    thief.pageKey = one.pageKey;
    thief.cookies.set(`toolgate-${port}-sign-in`, before);
    expect(await thief.status()).toBe(401);
  });

  it('is not taken for one by a cookie that somebody planted', async () => {
    const victim = browser();
    const { port } = new URL(gateway.address);
    const planted = 'x'.repeat(43);
    victim.cookies.set(`toolgate-${port}-sign-in`, planted);
    await victim.signIn({ token: gateway.token });
    expect([...victim.cookies.values()]).not.toContain(planted);
    // Nor by the cookie of a sign-in that is somebody else's: its page has another key.
    const attacker = await signedIn();
    const other = browser();
    for (const [name, value] of attacker.cookies) other.cookies.set(name, value);
    expect(await other.subject()).toBeUndefined();
    expect(await other.status()).toBe(403);
  });

  it('is asked for the key of its page on every route that takes the cookie', async () => {
    const one = await signedIn();
    const key = one.pageKey;
    for (const wrong of [undefined, 'y'.repeat(43), 'short']) {
      one.pageKey = wrong;
      for (const [method, path] of [
        ['GET', '/api/v1/registry'],
        ['POST', '/api/v1/registry/refresh'],
        ['DELETE', '/api/v1/sign-in'],
        ['GET', '/api/llm/models'],
      ] as const) {
        const answer = await one.fetch(path, { method });
        expect([method, path, answer.status]).toEqual([method, path, 403]);
        expect(await answer.json()).toMatchObject({ rule: 'page-key' });
      }
    }
    one.pageKey = undefined;
    expect((await one.signIn({ token: gateway.token })).status).toBe(403);
    one.pageKey = key;
    expect(await one.status()).toBe(200);
    for (const site of ['cross-site', 'same-site', 'none'])
      expect((await one.fetch('/api/v1/registry', { headers: { 'sec-fetch-site': site } })).status).toBe(403);
    expect((await one.fetch('/api/v1/registry', { headers: { origin: 'http://localhost:1' } })).status).toBe(
      403,
    );
    const own = { 'sec-fetch-site': 'same-origin', origin: gateway.address };
    expect((await one.fetch('/api/v1/registry', { headers: own })).status).toBe(200);
  });

  it('reaches no MCP address, nor what is read as the registry of other programs', async () => {
    const one = await signedIn();
    const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
    for (const path of ['/mcp', '/mcp/data', '/mcp/_discover', '/sse', '/v1/models', '/v0.1/servers']) {
      const get = path === '/sse' || path.startsWith('/v');
      const answer = get ? await one.fetch(path) : await one.post(path, body);
      expect([path, answer.status]).toEqual([path, 401]);
    }
  });

  it('leaves requests with a token as they were, whatever cookie comes with them', async () => {
    const one = await signedIn();
    one.pageKey = undefined;
    const asked = async (token: string): Promise<number> =>
      (await one.fetch('/api/v1/registry', { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await asked(gateway.token)).toBe(200);
    expect(await asked('tg_pat_wrong')).toBe(401);
  });

  it('is out after signing out, also where it still streams', async () => {
    const one = await signedIn();
    const stream = await one.fetch('/api/v1/events');
    const kept = new Map(one.cookies);
    expect((await one.fetch('/api/v1/sign-in', { method: 'DELETE' })).status).toBe(204);
    expect(one.cookies.size).toBe(0);
    for (const [name, value] of kept) one.cookies.set(name, value);
    expect(await one.status()).toBe(401);
    const ended = stream.text().catch(() => 'cut');
    expect(await Promise.race([ended.then(() => 'ended'), later(8_000)])).toBe('ended');
  });

  it('keeps 20 sign-ins of one person: the oldest goes', async () => {
    const { token } = await tokenOf({ subject: 'user:gus@example.com' });
    const all: TestBrowser[] = [];
    for (let count = 0; count < 21; count++) {
      const one = browser();
      expect((await one.signIn({ token })).status).toBe(200);
      all.push(one);
    }
    expect(await Promise.all(all.map((one) => one.status()))).toEqual([401, ...Array<number>(20).fill(200)]);
  });

  it('is in no file and no log', async () => {
    const one = await signedIn();
    const secrets = [...one.cookies.values(), one.pageKey ?? ''];
    const files = await readdir(gateway.dataDir, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
    );
    for (const text of [...texts, gateway.output()])
      for (const secret of secrets) expect(text).not.toContain(secret);
  });
});

const later = (ms: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('late'), ms));

it('wrong codes are throttled like wrong tokens', async () => {
  const own = await startGateway({ config: 'version: 1\n' });
  try {
    const one = new TestBrowser(own.address);
    const statusesOf: number[] = [];
    for (let count = 0; count < 32; count++)
      statusesOf.push((await one.signIn({ code: `c${count}` })).status);
    expect(statusesOf.slice(0, 30)).toEqual(Array<number>(30).fill(401));
    expect(statusesOf.slice(30)).toEqual([429, 429]);
    expect((await one.signIn({ code: codeOf(await consoleLink(own)) })).status).toBe(200);
  } finally {
    await own.stop();
  }
});

describe('a sign-in ends by itself', () => {
  const times = (idle: string, lifetime: string): string =>
    `version: 1\nsubjects: { signIn: { idle: ${idle}, lifetime: ${lifetime} } }\n`;

  it('when its page is silent, and at its end however busy it is', async () => {
    const [idle, busy] = await Promise.all([
      startGateway({ config: times('1s', '1h') }),
      startGateway({ config: times('1h', '2s') }),
    ]);
    try {
      const [one, two] = [new TestBrowser(idle.address), new TestBrowser(busy.address)];
      for (const [own, gate] of [
        [one, idle],
        [two, busy],
      ] as const) {
        expect((await own.signIn({ token: gate.token })).status).toBe(200);
        expect(await own.status()).toBe(200);
      }
      await later(1_500);
      expect(await one.status()).toBe(401);
      await expect.poll(() => two.status(), { timeout: 5_000, interval: 250 }).toBe(401);
    } finally {
      await Promise.all([idle.stop(), busy.stop()]);
    }
  });

  it('on the next request when its person is disabled', async () => {
    const own = await startGateway({ config: CONFIG });
    try {
      const made = await toolgate([
        ...['token', 'create', '-n', 'fay', '--subject', 'user:fay@example.com'],
        ...['--config', own.configFile, '--data', own.dataDir],
      ]);
      const one = new TestBrowser(own.address);
      const token = made.stdout.trim();
      await expect.poll(async () => (await one.signIn({ token })).status).toBe(200);
      const disabled = CONFIG.replace(
        '{ name: "fay@example.com" }',
        '{ name: "fay@example.com", disabled: true }',
      );
      await writeFile(own.configFile, disabled);
      await expect.poll(() => one.status(), { timeout: 10_000 }).toBe(401);
      expect((await one.signIn({ token })).status).toBe(403);
    } finally {
      await own.stop();
    }
  });
});

it('takes none of several cookies of its name', async () => {
  const one = await signedIn();
  const [name = '', value = ''] = [...one.cookies][0] ?? [];
  const { host } = new URL(gateway.address);
  const request = (cookie: string): string =>
    `GET /api/v1/registry HTTP/1.1\r\nhost: ${host}\r\nx-toolgate-page-key: ${one.pageKey ?? ''}\r\ncookie: ${cookie}\r\nconnection: close\r\n\r\n`;
  expect(statuses(await sendRaw(gateway.address, request(`${name}=${value}`)))).toEqual([200]);
  for (const both of [`${name}=planted; ${name}=${value}`, `${name}=${value}; ${name}=planted`])
    expect(statuses(await sendRaw(gateway.address, request(both)))).toEqual([401]);
});
