import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { secretListSchema } from '../../gateway/contract/secrets.ts';
import { toolgate } from '../support/cli.ts';
import { PROGRAM, startGateway, type RunningGateway } from '../support/gateway.ts';
import { keyedServer } from '../support/keyed-server.ts';
import { KNOWN_CLIENT, startOauthProvider } from '../support/oauth-provider.ts';
import { startOpenAiWire, says } from '../support/openai-wire.ts';
import { startProtectedServer } from '../support/protected-server.ts';

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

const whoami = (gateway: RunningGateway): Promise<{ status: number; text: string }> =>
  api(gateway, 'POST', '/calls', { server: 'g:keyed', tool: 'whoami', arguments: {} });

it('P91 a secret is set while the gateway runs: what refers to it connects, and again when it changes', async () => {
  const server = await keyedServer();
  const provider = await startOauthProvider();
  const guarded = await startProtectedServer(provider.issuer);
  onTestFinished(() => {
    guarded.close();
    return provider.close();
  });
  const gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    servers:
      - { name: keyed, url: "${server.url}", allowPrivateAddress: true, auth: { type: header, headers: { x-key: "\${secret:key}" } } }
`,
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  const list = async (): Promise<unknown> =>
    secretListSchema.parse(JSON.parse((await api(gateway, 'GET', '/secrets')).text));
  expect(await list()).toEqual({ secrets: [], missing: [{ name: 'key', usedBy: ['g:keyed'] }] });
  expect((await whoami(gateway)).text).toContain('set the secret');
  expect(server.seen).toEqual([]);

  expect((await api(gateway, 'PUT', '/secrets/key', { value: 'first-value' })).status).toBe(200);
  await expect.poll(async () => (await whoami(gateway)).status, { timeout: 10_000 }).toBe(200);
  expect(server.seen.at(-1)?.['x-key']).toBe('first-value');
  const where = ['--config', gateway.configFile, '--data', gateway.dataDir];
  expect((await withInput(['secret', 'set', 'key', ...where], 'second-value\n')).code).toBe(0);
  await expect
    .poll(
      async () => {
        await whoami(gateway);
        return server.seen.at(-1)?.['x-key'];
      },
      { timeout: 10_000 },
    )
    .toBe('second-value');

  const shown = await toolgate(['secret', 'list', ...where]);
  expect(shown.stdout).toMatch(/key +\S+ +g:keyed/);
  expect(shown.stdout).not.toContain('second-value');
  expect(await api(gateway, 'DELETE', '/secrets/key')).toMatchObject({ status: 409 });
  expect((await toolgate(['secret', 'delete', 'key', ...where])).stderr).toContain('g:keyed would lose it');
  expect((await api(gateway, 'DELETE', '/secrets/key?force=true')).status).toBe(200);
  await expect
    .poll(async () => (await whoami(gateway)).text, { timeout: 10_000 })
    .toContain('set the secret');
  expect((await api(gateway, 'PUT', '/secrets/a%2Fb', { value: 'x' })).status).toBe(400);
});

function withInput(args: readonly string[], input: string): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('close', (code) => resolve({ code, stderr }));
    child.stdin.end(input);
  });
}

it('the key is rotated, and secrets are there after a restart; a wrong key is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-secrets-'));
  await writeFile(join(folder, 'toolgate.yaml'), 'version: 1\n');
  const where = ['--config', join(folder, 'toolgate.yaml')];
  expect((await withInput(['secret', 'set', 'kept', ...where], 'kept-value')).code).toBe(0);
  expect((await toolgate(['secret', 'rotate-key', ...where])).stdout).toContain('1 secrets');
  expect((await toolgate(['secret', 'list', '--json', ...where])).stdout).toContain('kept');
  const wrong = await toolgate(['secret', 'list', ...where], { TOOLGATE_MASTER_KEY: '0'.repeat(64) });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('another master key than that of TOOLGATE_MASTER_KEY');
});

/** Everything below a folder, as text. */
async function contents(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

it('no secret is in a log, an error, the data folder, an answer, an export or a process list', async () => {
  const canary = (name: string): string => `canary-${name}-7f3a9c`;
  const wire = await startOpenAiWire();
  onTestFinished(() => wire.close());
  wire.otherwise(() => says('fine'));
  const server = await keyedServer();
  const provider = await startOauthProvider();
  const guarded = await startProtectedServer(provider.issuer);
  onTestFinished(() => {
    guarded.close();
    return provider.close();
  });
  const gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    servers:
      - { name: keyed, url: "${server.url}", allowPrivateAddress: true, auth: { type: header, headers: { x-key: "\${secret:key}" } }, tools: [{ match: whoami, fixed: { pass: "\${secret:fixed}" } }] }
      - { name: refused, url: "http://127.0.0.1:9/mcp", allowPrivateAddress: true, auth: { type: header, headers: { x-key: "\${env:REFUSED_KEY}" } } }
      - { name: mine, url: "${server.url}", allowPrivateAddress: true, auth: { type: header, perUser: true, headers: { x-key: "{{KEY}}" } } }
      - { name: signed, url: "${guarded.url}", allowPrivateAddress: true, auth: { type: oauth2, grant: client-credentials, clientId: known, clientSecret: "\${secret:oauth}", issuer: "${provider.issuer}" } }
      - { name: described, openapi: "${wire.baseUrl}/openapi.json", baseUrl: "${wire.baseUrl}", allowPrivateAddress: true, auth: { type: header, headers: { x-key: "\${secret:openapi}" } } }
      - { name: broken, command: node, args: ["-e", "process.exit(3)"], env: { PASS: "\${secret:stdio}" } }
subjects: { oidc: [{ issuer: "https://127.0.0.1:9", audience: x, allowPrivateAddress: true, console: { name: corp, clientId: c, clientSecret: "\${secret:console}" } }] }
registry: { public: true }
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", apiKey: "\${secret:provider}", models: [m], allowPrivateAddress: true }
`,
    env: { REFUSED_KEY: canary('env'), TOOLGATE_SECRET_STDIO: canary('stdio') },
    args: ['--log-level', 'trace'],
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  const answers: string[] = [];
  const ask = async (method: string, path: string, body?: unknown): Promise<void> => {
    answers.push((await api(gateway, method, path, body)).text);
  };
  await ask('PUT', '/secrets/oauth', { value: KNOWN_CLIENT.client_secret });
  for (const name of ['key', 'fixed', 'provider', 'openapi', 'console'])
    await ask('PUT', `/secrets/${name}`, { value: canary(name) });
  await ask('PUT', '/secrets/not%20a%20name', { value: canary('refused') });
  await expect.poll(async () => (await whoami(gateway)).status, { timeout: 10_000 }).toBe(200);
  await ask('PUT', '/credentials/g/mine', { values: { KEY: canary('personal') } });
  await ask('POST', '/sign-in/issuers/corp', { returnTo: '/' });
  for (const name of ['mine', 'signed', 'described', 'refused', 'broken'])
    await ask('POST', '/calls', { server: `g:${name}`, tool: 'x', arguments: {} });
  await fetch(`${gateway.address}/api/llm/agent/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'wire/m', messages: [{ role: 'user', content: 'x' }] }),
  }).then(async (answer) => answers.push(await answer.text()));
  const asked = ['/secrets', '/registry', '/config', '/activity?limit=100', '/tokens', '/pins', '/guards'];
  for (const path of [...asked, '/credentials?all=true', '/subjects/users', '/context', '/search?q=key'])
    await ask('GET', path);
  answers.push(await (await fetch(`${gateway.address}/v0.1/servers`)).text());
  await ask('POST', '/export');
  const processes = execFileSync('ps', ['-eo', 'args']).toString();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const written = await contents(gateway.dataDir);
  // The guards of this test itself: the secrets were used, and the places looked at are there.
  expect(server.seen.some((headers) => headers['x-key'] === canary('key'))).toBe(true);
  expect(server.seen.some((headers) => headers['x-key'] === canary('personal'))).toBe(true);
  const sent = JSON.stringify(wire.requests);
  expect(sent).toContain(canary('provider'));
  expect(provider.grants).toContain('client_credentials');
  expect(sent).toContain(canary('openapi'));
  expect(written.length).toBeGreaterThan(1_000);
  for (const [place, text] of Object.entries({
    answers: answers.join('\n'),
    output: gateway.output(),
    processes,
    written,
  })) {
    for (const token of guarded.seen)
      if (token !== undefined) expect(text.includes(token.slice(7)), place).toBe(false);
    expect(text.includes('canary-'), `${place}: ${/.{0,80}canary-\w+.{0,20}/.exec(text)?.[0] ?? ''}`).toBe(
      false,
    );
    if (place !== 'output') expect(text.includes(gateway.token), place).toBe(false);
  }
});

/** Refuses with the header it was asked with, as it is and in Base64. */
async function echoingServer(): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const http = createServer((req, res) => {
    asked++;
    const key = String(req.headers['x-key']);
    const message = `no access with ${key} (${Buffer.from(key).toString('base64')})`;
    res.writeHead(401, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32001, message, data: { key } } }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, asked: () => asked };
}

it('a server that repeats the secrets it was given is not passed on: standard error, refusals, errors of calls', async () => {
  const canary = (name: string): string => `canary-${name}-51be0d`;
  const echoing = await echoingServer();
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-echo-'));
  await writeFile(join(folder, 'key.txt'), `${canary('file')}\n`);
  const says = 'console.error(process.argv[1], process.env.A, process.env.B); process.exit(3)';
  const gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    servers:
      - { name: shared, url: "${echoing.url}", allowPrivateAddress: true, auth: { type: header, headers: { x-key: "\${secret:key}" } } }
      - { name: own, url: "${echoing.url}", allowPrivateAddress: true, auth: { type: header, perUser: true, headers: { x-key: "{{KEY}}" } } }
      - name: talkative
        command: node
        args: ["-e", "${says}", "\${file:${join(folder, 'key.txt')}}"]
        env: { A: "\${secret:stdio}", B: "\${env:TALKATIVE}" }
`,
    env: { TALKATIVE: canary('env') },
    args: ['--log-level', 'trace'],
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  const answers: string[] = [];
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    const { text } = await api(gateway, method, path, body);
    answers.push(text);
    return text;
  };
  for (const name of ['key', 'stdio']) await ask('PUT', `/secrets/${name}`, { value: canary(name) });
  await ask('PUT', '/credentials/g/own', { values: { KEY: canary('person') } });
  const called = (name: string): Promise<string> =>
    ask('POST', '/calls', { server: `g:${name}`, tool: 'x', arguments: {} });
  await expect
    .poll(() => called('shared'), { timeout: 10_000 })
    .toContain('no access with [secret key] ([secret key])');
  await expect.poll(() => called('own'), { timeout: 10_000 }).toContain('no access with [credential KEY]');
  await expect
    .poll(() => ask('GET', '/registry'), { timeout: 10_000 })
    .toContain('[file ' + join(folder, 'key.txt') + '] [secret stdio] [env TALKATIVE]');
  const tested = await ask('POST', '/servers/test', {
    server: {
      name: 'tried',
      url: echoing.url,
      allowPrivateAddress: true,
      auth: { type: 'header', headers: { 'x-key': '${secret:tried}' } },
    },
    secrets: { tried: canary('tried') },
  });
  expect(tested).toContain('no access with [secret tried]');
  await ask('GET', '/activity?limit=100');
  expect(echoing.asked()).toBeGreaterThan(2);
  for (const [place, text] of Object.entries({
    answers: answers.join('\n'),
    output: gateway.output(),
    written: await contents(gateway.dataDir),
  }))
    expect(text.includes('canary-'), `${place}: ${/.{0,80}canary-\w+.{0,20}/.exec(text)?.[0] ?? ''}`).toBe(
      false,
    );
});
