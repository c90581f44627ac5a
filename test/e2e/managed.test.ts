import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { RegistryView } from '../../gateway/contract/registry.ts';
import { toolgate } from '../support/cli.ts';
import { configOf, MEMORY } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';
import { processesWith } from '../support/processes.ts';

it('a server that the managed settings deny is not started, tried or called, and says why', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-managed-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'managed-settings.json');
  const deniedMcpServers = [{ serverName: 'memory-mcp' }, { serverCommand: ['node', 'denied.js'] }];
  await writeFile(file, JSON.stringify({ deniedMcpServers }));
  const mark = join(folder, 'memory.json');
  const gateway = await startGateway({
    config: configOf({ dev: [MEMORY(mark)] }),
    env: { TOOLGATE_MANAGED_SETTINGS: file },
  });
  onTestFinished(async () => {
    await gateway.stop();
  });
  const answer = await fetch(`${gateway.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { groups } = (await answer.json()) as RegistryView;
  const [server] = groups[0]!.servers;
  expect(server).toMatchObject({ name: 'memory-mcp', state: 'stopped', tools: [] });
  expect(server!.lastError).toContain(`denied by ${file}`);

  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token };
  const refused = await toolgate(['call', 'memory-mcp', 'read_graph', '{}'], env);
  expect(refused.code).not.toBe(0);
  const tried = await toolgate(['server', 'test', '--', 'node', 'denied.js'], env);
  expect(tried.stdout).toContain(`denied by ${file}`);
  expect(processesWith(mark)).toEqual([]);
});
