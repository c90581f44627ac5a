import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { proposalSchema } from '../../gateway/contract/import.ts';
import { toolgate, type CliResult } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';

const CANARY = 'ghp_canary0123456789abcdef';
let gateway: RunningGateway;
let home: string;

beforeEach(async () => {
  gateway = await startGateway({ config: configOf({ dev: [] }) });
  home = await mkdtemp(join(tmpdir(), 'toolgate-home-'));
});
afterEach(async () => {
  await gateway.stop();
  await rm(home, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<CliResult> =>
  toolgate(args, {
    TOOLGATE_GATEWAY: gateway.address,
    TOOLGATE_TOKEN: gateway.token,
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
  });
const memory = join(ROOT, 'node_modules/@modelcontextprotocol/server-memory/dist/index.js');

async function writeCursor(): Promise<void> {
  await mkdir(join(home, '.cursor'));
  const mcpServers = {
    'my memory': { command: 'node', args: [memory], env: { MEMORY_FILE_PATH: join(home, 'memory.json') } },
    remote: { url: 'https://mcp.example.invalid/mcp', headers: { Authorization: `Bearer ${CANARY}` } },
    broken: { command: 7 },
  };
  await writeFile(join(home, '.cursor/mcp.json'), JSON.stringify({ mcpServers }));
}

it("P93 import takes a client's servers over by the command line, and no secret is written or printed", async () => {
  await writeCursor();
  const found = await run('import');
  expect(found).toMatchObject({ code: 0 });
  expect(found.stdout).toMatch(/cursor +2 +1 /);

  const before = await readFile(gateway.configFile, 'utf8');
  const dry = await run('import', '--from', 'cursor', '--group', 'dev', '--dry-run');
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toContain('set TOOLGATE_SECRET_REMOTE_AUTHORIZATION');
  expect(dry.stdout).toMatch(/not imported: broken: command/);
  expect(await readFile(gateway.configFile, 'utf8')).toBe(before);

  // A command is run only with consent.
  const asked = await run('import', '--from', 'cursor', '--group', 'dev');
  expect(asked.code).not.toBe(0);
  expect(asked.stderr).toContain('--yes');
  expect(await readFile(gateway.configFile, 'utf8')).toBe(before);

  const done = await run('import', '--from', 'cursor', '--group', 'dev', '--yes');
  expect(done).toMatchObject({ code: 0 });
  expect(found.stdout + dry.stdout + dry.stderr + asked.stdout + done.stdout + done.stderr).not.toContain(
    CANARY,
  );
  const after = await readFile(gateway.configFile, 'utf8');
  expect(after).not.toContain(CANARY);
  expect(after).toContain('Bearer ${secret:remote-Authorization}');
  await expect
    .poll(async () => (await run('call', 'dev:my-memory', 'read_graph', '{}')).code, { timeout: 30_000 })
    .toBe(0);
});

it('the API proposes to administrators what a file would add, and adds nothing', async () => {
  const before = await readFile(gateway.configFile, 'utf8');
  const ask = (token: string, body: unknown): Promise<Response> =>
    fetch(`${gateway.address}/api/v1/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const text = JSON.stringify({ servers: { a: { command: 'x', env: { TOKEN: CANARY } } } });
  const answer = await ask(gateway.token, { text, group: 'dev' });
  const { servers, secrets } = proposalSchema.parse(await answer.json());
  expect(servers[0]!.server).toMatchObject({ name: 'a', env: { TOKEN: '${secret:a-TOKEN}' } });
  expect(secrets).toMatchObject([{ value: CANARY }]);
  expect(await readFile(gateway.configFile, 'utf8')).toBe(before);

  const created = await toolgate([
    ...['token', 'create', '--name', 'reader', '--group', 'dev', '--json'],
    ...['--config', gateway.configFile, '--data', gateway.dataDir],
  ]);
  const { token } = JSON.parse(created.stdout) as { token: string };
  expect((await ask(token, { text })).status).toBe(403);
});
