import { request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { presetsSchema } from '../../gateway/contract/presets.ts';
import { registryListSchema, registryServerResponseSchema } from '../../gateway/contract/registry-api.ts';
import { toolgate } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';

const remote = (name: string, extra = ''): string =>
  `{ name: ${name}, url: "https://${name}.example.invalid/mcp"${extra} }`;

async function start(settings: string): Promise<RunningGateway> {
  const servers = [
    remote('alpha', ', description: The first'),
    remote('beta'),
    remote('gone', ', disabled: true'),
  ];
  const config = configOf({ dev: servers, prod: [remote('alpha')] }).replaceAll(
    '    servers:',
    '    access: { use: [everyone] }\n    servers:',
  );
  const gateway = await startGateway({ config: `${config}${settings}` });
  onTestFinished(async () => {
    await gateway.stop();
  });
  return gateway;
}

/** Unlike `fetch`, sends whatever Origin and Host it is told. */
function get(url: string, headers: Record<string, string>): Promise<{ status: number; allow: unknown }> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (res) => {
      res.resume();
      resolve({ status: res.statusCode ?? 0, allow: res.headers['access-control-allow-origin'] });
    })
      .on('error', reject)
      .end();
  });
}

const names = async (answer: Response): Promise<{ names: string[]; next: string | null | undefined }> => {
  const { servers, metadata } = registryListSchema.parse(await answer.json());
  return {
    names: servers.map((one) => registryServerResponseSchema.parse(one).server.name),
    next: metadata?.nextCursor,
  };
};

it('P80 /v0.1/servers needs a token, and shows what that may see', async () => {
  const gateway = await start('');
  const url = `${gateway.address}/v0.1/servers`;
  expect((await fetch(url)).status).toBe(401);
  const all = await names(await fetch(url, { headers: { authorization: `Bearer ${gateway.token}` } }));
  expect(all.names).toEqual([
    'local.toolgate/dev__alpha',
    'local.toolgate/dev__beta',
    'local.toolgate/prod__alpha',
  ]);
  const created = await toolgate([
    ...['token', 'create', '--name', 'reader', '--group', 'prod', '--json'],
    ...['--config', gateway.configFile, '--data', gateway.dataDir],
  ]);
  const { token } = JSON.parse(created.stdout) as { token: string };
  const few = await names(await fetch(url, { headers: { authorization: `Bearer ${token}` } }));
  expect(few.names).toEqual(['local.toolgate/prod__alpha']);
});

it('P80 /v0.1/servers is a registry: pages, search, versions, one origin more than elsewhere, read-only', async () => {
  const gateway = await start('registry: { public: true, namespace: com.example }\n');
  const url = `${gateway.address}/v0.1/servers`;
  const first = await names(await fetch(`${url}?limit=2`));
  expect(first.names).toEqual(['com.example/dev__alpha', 'com.example/dev__beta']);
  const second = await names(await fetch(`${url}?limit=2&cursor=${encodeURIComponent(first.next!)}`));
  expect(second).toEqual({ names: ['com.example/prod__alpha'], next: undefined });
  expect((await names(await fetch(`${url}?search=BETA&version=latest`))).names).toEqual([
    'com.example/dev__beta',
  ]);
  expect((await fetch(`${url}?limit=0`)).status).toBe(400);

  const name = encodeURIComponent('com.example/dev__alpha');
  const { server, _meta } = registryServerResponseSchema.parse(
    await (await fetch(`${url}/${name}/versions/latest`)).json(),
  );
  expect(server).toMatchObject({
    description: 'The first',
    remotes: [
      { type: 'streamable-http', url: `${gateway.address}/mcp/dev/alpha`, headers: [{ isSecret: true }] },
    ],
  });
  expect(_meta).toMatchObject({
    'io.modelcontextprotocol.registry/official': { isLatest: true, status: 'active' },
  });
  expect((await names(await fetch(`${url}/${name}/versions`))).names).toHaveLength(1);
  expect((await fetch(`${url}/${name}/versions/${server.version}`)).status).toBe(200);
  for (const path of [`/${name}/versions/9`, '/nobody/versions', '/%E0%A4%A/versions', `/${name}`])
    expect((await fetch(url + path)).status, path).toBe(404);
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(405);

  expect(await get(url, { origin: 'vscode-file://vscode-app' })).toEqual({ status: 200, allow: '*' });
  expect((await get(url, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await get(url, { host: 'evil.example' })).status).toBe(403);
  const registry = `${gateway.address}/api/v1/registry`;
  expect((await get(registry, { origin: 'vscode-file://vscode-app' })).status).toBe(403);
  expect((await get(registry, {})).status).toBe(401);
});

it('presets are searched and added, those of another registry too', async () => {
  const source = await start('registry: { public: true }\n');
  const gateway = await startGateway({ config: configOf({ dev: [] }) });
  onTestFinished(async () => {
    await gateway.stop();
  });
  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token };
  const shipped = await toolgate(['preset', 'search', 'issues', '--json'], env);
  const { presets } = presetsSchema.parse(JSON.parse(shipped.stdout));
  expect(presets.map(({ name }) => name)).toEqual(['atlassian', 'github', 'linear']);

  const added = await toolgate(['preset', 'add', 'github', '--group', 'dev'], env);
  expect(added).toMatchObject({ code: 0 });
  expect(added.stdout).toContain('set TOOLGATE_SECRET_GITHUB');

  const there = ['--registry', source.address];
  const refused = await toolgate(['preset', 'search', 'alpha', ...there], env);
  expect(refused.stderr).toContain('not a public address');
  const allowed = [...there, '--allow-private-address'];
  const found = await toolgate(['preset', 'search', 'alpha', ...allowed], env);
  expect(found.stdout).toContain('local.toolgate/dev__alpha');
  const taken = await toolgate(
    ['preset', 'add', 'local.toolgate/dev__alpha', '--group', 'dev', ...allowed],
    env,
  );
  expect(taken).toMatchObject({ code: 0, stderr: '' });
  expect(taken.stdout).toContain('dev-alpha');
});
