import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConfigFileChoice } from '../../../extension/configFile.ts';
import { chooseConfigFile } from '../../../extension/configFile.ts';
import { existingFiles, placeFiles, writeFiles } from '../../../extension/exportFiles.ts';
import { readLogLine } from '../../../extension/gatewayLog.ts';
import { toolsVersion } from '../../../extension/toolsVersion.ts';
import type { RegistryView, ServerView } from '../../../gateway/contract/registry.ts';

describe('chooseConfigFile', () => {
  const choice: ConfigFileChoice = {
    setting: '',
    trusted: true,
    folders: ['/one', '/two'],
    storage: '/storage',
    exists: (file) => file === '/two/toolgate.yaml',
  };

  it('takes the setting before everything, relative to the first folder or to the home folder', () => {
    const choose = (setting: string): string => chooseConfigFile({ ...choice, setting }).file;
    expect(choose('/etc/toolgate.yaml')).toBe('/etc/toolgate.yaml');
    expect(choose('conf/gate.yaml')).toBe('/one/conf/gate.yaml');
    expect(choose('~/gate.yaml')).toBe(path.join(os.homedir(), 'gate.yaml'));
  });

  it("takes the first folder's file that exists, else its own", () => {
    expect(chooseConfigFile(choice)).toEqual({ file: '/two/toolgate.yaml', own: false });
    const none = chooseConfigFile({ ...choice, exists: () => false });
    expect(none).toEqual({ file: '/storage/toolgate.yaml', own: true });
  });

  it('never takes the file of an untrusted workspace', () => {
    for (const setting of [
      '',
      'toolgate.yaml',
      'conf/gate.yaml',
      '/two/deep/toolgate.yaml',
      '/etc/../one/x.yaml',
    ]) {
      const { file } = chooseConfigFile({ ...choice, setting, trusted: false });
      expect(file, setting).toBe('/storage/toolgate.yaml');
    }
    const elsewhere = chooseConfigFile({ ...choice, setting: '/etc/toolgate.yaml', trusted: false });
    expect(elsewhere.file).toBe('/etc/toolgate.yaml');
  });
});

describe('readLogLine', () => {
  it.each([
    [10, 'trace'],
    [20, 'debug'],
    [30, 'info'],
    [40, 'warn'],
    [50, 'error'],
    [60, 'error'],
  ])('maps level %i to %s', (level, expected) => {
    expect(readLogLine(JSON.stringify({ level, msg: 'x' }))?.level).toBe(expected);
  });

  it('shows the message and its facts, without what every line carries', () => {
    const line = JSON.stringify({ level: 30, time: 1, pid: 2, hostname: 'h', msg: 'listening', port: 8665 });
    expect(readLogLine(line)?.text).toBe('listening {"port":8665}');
  });

  it('shortens a long entry, and takes nothing else for one', () => {
    const long = readLogLine(JSON.stringify({ level: 30, msg: 'x'.repeat(5_000) }));
    expect(long?.text).toHaveLength(4_000);
    for (const line of ['plain', '[1]', '{"level":"high"}', 'null'])
      expect(readLogLine(line)).toBeUndefined();
  });
});

describe('an export', () => {
  const file = (
    name: string,
    executable = false,
  ): { path: string; content: string; executable: boolean } => ({
    path: name,
    content: 'new',
    executable,
  });

  it('refuses a file outside the folder', () => {
    for (const name of ['../x', '/etc/x', 'a/../../x', '.']) {
      expect(() => placeFiles('/out', { files: [file(name)], notes: [] })).toThrow(/outside the folder/);
    }
  });

  it('names what it would overwrite, and writes folders and executables', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'toolgate-export-'));
    try {
      await writeFile(path.join(folder, 'README.md'), 'old');
      const bundle = { files: [file('README.md'), file('bin/start.sh', true)], notes: [] };
      const placed = placeFiles(folder, bundle);
      expect(existingFiles(placed)).toEqual(['README.md']);
      await writeFiles(placed);
      expect(await readFile(path.join(folder, 'README.md'), 'utf8')).toBe('new');
      expect((await stat(path.join(folder, 'bin/start.sh'))).mode & 0o111).toBe(0o111);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('toolsVersion', () => {
  const server: ServerView = {
    fqn: 'toolgate:common:a',
    group: 'common',
    name: 'a',
    tags: [],
    transport: 'stdio',
    disabled: false,
    state: 'ready',
    stderrTail: [],
    warnings: [],
    tools: [{ name: 'add', inputSchema: {} }],
    resources: [],
    prompts: [],
  };
  const registry = (changed: Partial<ServerView>, revision = 1): RegistryView => ({
    tenant: 'toolgate',
    gatewayVersion: '1',
    revision,
    groups: [{ name: 'common', servers: [{ ...server, ...changed }] }],
  });

  it('changes with the tools, and with nothing else', () => {
    const version = toolsVersion(registry({}));
    expect(toolsVersion(registry({ lastError: 'x', stderrTail: ['y'] }, 2))).toBe(version);
    expect(toolsVersion(registry({ tools: [{ name: 'sum', inputSchema: {} }] }))).not.toBe(version);
    expect(toolsVersion(registry({ tools: [{ name: 'add', inputSchema: { type: 'object' } }] }))).not.toBe(
      version,
    );
  });
});
