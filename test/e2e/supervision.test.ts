import { createServer } from 'node:net';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

async function start(config: string, env: Record<string, string> = {}): Promise<RunningGateway> {
  const gateway = await startGateway({ config, env });
  onTestFinished(async () => {
    await gateway.stop();
  });
  return gateway;
}

async function get(gateway: RunningGateway, path: string, method = 'GET'): Promise<unknown> {
  const answer = await fetch(gateway.address + path, {
    method,
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  return answer.json();
}

async function server(gateway: RunningGateway, name: string): Promise<ServerView> {
  const { groups } = (await get(gateway, '/api/v1/registry')) as RegistryView;
  return groups.flatMap(({ servers }) => servers).find((view) => view.name === name)!;
}

function call(gateway: RunningGateway, name: string, tool: string, args: object): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server: name, tool, arguments: args }),
  });
}

it('a server that dies shows as failed in words, stays listed, and heals', async () => {
  const mark = `mark-${Math.random().toString(36).slice(2)}`;
  const marked = EVERYTHING.replace(/ \}$/, `, env: { NAME: ${mark} } }`);
  const gateway = await start(configOf({ common: [marked] }));
  await expect
    .poll(async () => (await server(gateway, 'everything-mcp')).state, { timeout: 10_000 })
    .toBe('ready');
  for (const pid of processesWith(mark)) process.kill(pid, 'SIGKILL');
  await expect.poll(async () => (await server(gateway, 'everything-mcp')).state).toBe('failed');
  const failed = await server(gateway, 'everything-mcp');
  expect(failed.lastError).toContain('was ended by SIGKILL');
  expect(failed.tools.length).toBeGreaterThan(0);
  await expect
    .poll(async () => (await server(gateway, 'everything-mcp')).state, { timeout: 15_000 })
    .toBe('ready');
  expect((await server(gateway, 'everything-mcp')).lastError).toBeUndefined();
  expect((await call(gateway, 'everything-mcp', 'echo', { message: 'back' })).status).toBe(200);
});

it('servers that cannot work say why and neither delay nor empty the others', async () => {
  // A port that accepts and never answers.
  const silent = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => silent.once('listening', done));
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as { port: number };
  const gateway = await start(
    configOf({
      common: [
        CALCULATOR(await freePort()),
        `{ name: missing, command: no-such-program-anywhere }`,
        `{ name: crashing, command: node, args: ["-e", "console.error('the licence file is missing'); process.exit(3)"] }`,
        `{ name: private, url: "http://127.0.0.1:9/mcp" }`,
        `{ name: unset, url: "https://example.com/mcp", auth: { type: header, headers: { Authorization: "Bearer \${env:NO_SUCH_VARIABLE}" } } }`,
        `{ name: silent, url: "http://127.0.0.1:${port}/mcp", allowPrivateAddress: true, timeouts: { connect: 20s } }`,
        `{ name: off, command: node, disabled: true }`,
      ],
    }),
  );
  // While `silent` is still being waited for, which takes all of its 20 s.
  expect((await call(gateway, 'calculator-mcp', 'add', { a: 1, b: 2 })).status).toBe(200);
  expect((await server(gateway, 'silent')).state).toBe('starting');
  const state = async (): Promise<string> => (await server(gateway, 'crashing')).state;
  await expect.poll(state, { timeout: 10_000 }).toBe('failed');
  const missing = await server(gateway, 'missing');
  expect(missing.lastError).toContain('"no-such-program-anywhere" was not found on the PATH');
  expect(missing.stderrTail.at(-1)).toMatch(/^PATH=.+/);
  const crashing = await server(gateway, 'crashing');
  expect(crashing.lastError).toContain('exited with code 3');
  expect(crashing.stderrTail).toContain('the licence file is missing');
  expect((await server(gateway, 'private')).lastError).toContain('allowPrivateAddress');
  expect((await server(gateway, 'unset')).lastError).toContain('${env:NO_SUCH_VARIABLE} has no value');
  expect((await server(gateway, 'off')).state).toBe('stopped');
  const refused = await call(gateway, 'crashing', 'anything', {});
  expect(refused.status).toBe(502);
  expect(((await refused.json()) as { detail: string }).detail).toContain('exited with code 3');
});

it('P184 picks up tools that a server announces while it runs', async () => {
  const gateway = await start(
    configOf({
      common: [`{ name: growing, command: node, args: ["${await growingServer()}"], pins: trust }`],
    }),
  );
  expect((await call(gateway, 'growing', 'grow', {})).status).toBe(200);
  await expect
    .poll(async () => (await server(gateway, 'growing')).tools.map(({ name }) => name))
    .toEqual(['grow', 'grown']);
  expect((await call(gateway, 'growing', 'grown', {})).status).toBe(200);
});

it('ends a call that takes too long, and tells the server', async () => {
  const slow = EVERYTHING.replace(/ \}$/, ', timeouts: { call: 500ms } }');
  const gateway = await start(configOf({ common: [slow] }));
  const answer = await call(gateway, 'everything-mcp', 'trigger-long-running-operation', {
    duration: 30,
    steps: 2,
  });
  expect(answer.status).toBe(504);
  expect(await answer.json()).toMatchObject({
    detail: 'no answer within 0.5 s (timeouts.call of the server)',
    rule: 'timeouts.call',
  });
});

it('P85 sends the configured header to the server and shows it nowhere', async () => {
  const { createServer: createHttp } = await import('node:http');
  const seen: (string | undefined)[] = [];
  const upstream = createHttp((req, res) => {
    seen.push(req.headers.authorization);
    res.writeHead(401).end('who are you');
  }).listen(0, '127.0.0.1');
  await new Promise((done) => upstream.once('listening', done));
  onTestFinished(() => void upstream.close());
  const { port } = upstream.address() as { port: number };
  const auth = 'auth: { type: header, headers: { Authorization: "Bearer ${secret:upstream-key}" } }';
  const gateway = await start(
    configOf({
      common: [`{ name: guarded, url: "http://127.0.0.1:${port}/mcp", allowPrivateAddress: true, ${auth} }`],
    }),
    { TOOLGATE_SECRET_UPSTREAM_KEY: 'canary-4711' },
  );
  await expect.poll(async () => (await server(gateway, 'guarded')).lastError).toContain('check this server');
  expect(seen[0]).toBe('Bearer canary-4711');
  expect(seen.every((value) => value?.includes(gateway.token) === false)).toBe(true);
  expect(JSON.stringify(await get(gateway, '/api/v1/registry'))).not.toContain('canary-4711');
  expect(JSON.stringify(await get(gateway, '/api/v1/export', 'POST'))).not.toContain('canary-4711');
  expect(gateway.output()).not.toContain('canary-4711');
});

/** A server of the SDK that gets another tool when its first one is called. */
async function growingServer(): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-growing-')), 'server.mjs');
  const sdk = (path: string): string =>
    JSON.stringify(import.meta.resolve(`@modelcontextprotocol/sdk/server/${path}`));
  await writeFile(
    file,
    `import { McpServer } from ${sdk('mcp.js')};
import { StdioServerTransport } from ${sdk('stdio.js')};
const server = new McpServer({ name: 'growing', version: '1' });
const text = (text) => ({ content: [{ type: 'text', text }] });
server.registerTool('grow', {}, () => {
  server.registerTool('grown', {}, () => text('I am new'));
  return text('done');
});
await server.connect(new StdioServerTransport());
`,
  );
  return file;
}
