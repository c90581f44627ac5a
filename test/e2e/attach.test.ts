import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { toolgate } from '../support/cli.ts';

it('attach writes the gateway into a list, with a backup, and detach takes it out again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-attach-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'mcp.json');
  const before = '{ // mine\n  "mcpServers": {\n    "a": { "command": "x" }\n  }\n}\n';
  await writeFile(file, before);
  const token = 'tg_pat_canary0123456789';
  const run = (command: string, ...args: string[]): ReturnType<typeof toolgate> =>
    toolgate([command, '--client', 'cursor', '--file', file, ...args], { TOOLGATE_TOKEN: token });

  expect((await run('attach', '--dry-run')).code).toBe(0);
  expect(await readFile(file, 'utf8')).toBe(before);
  const done = await run('attach', '--path', '/mcp/dev');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).not.toContain(token);
  const after = await readFile(file, 'utf8');
  expect(after).toContain('"http://127.0.0.1:8665/mcp/dev"');
  expect(after).toContain(`Bearer ${token}`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(`${file}.toolgate-backup`, 'utf8')).toBe(before);
  expect((await run('detach')).code).toBe(0);
  expect(await readFile(file, 'utf8')).toBe(before);

  const link = await toolgate(['attach', '--link'], {});
  expect(link.stdout).toMatch(/^vscode: vscode:mcp\/install\?%7B/m);
});
