import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serverSchema } from '../../../gateway/config/schema.ts';
import { managedFiles, readManagedLists } from '../../../gateway/registry/managed.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'toolgate-managed-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** The objection to a server under these settings. */
function objection(settings: unknown, server: Record<string, unknown>): string | undefined {
  const file = join(folder, 'managed-settings.json');
  writeFileSync(file, typeof settings === 'string' ? settings : JSON.stringify(settings));
  const config = serverSchema.parse({ name: 'github', ...server });
  return readManagedLists([file]).objection('github', config, (text) => text.replace('${env:PKG}', 'bad'));
}
const at = (url: string): { url: string } => ({ url });

it('denies by name, address and exact command, whatever is allowed', () => {
  const denied = (rule: unknown, server: Record<string, unknown>): boolean =>
    objection({ deniedMcpServers: [rule], allowedMcpServers: undefined }, server) !== undefined;
  expect(denied({ serverName: 'github' }, at('https://a.example'))).toBe(true);
  expect(denied({ serverName: 'git' }, at('https://a.example'))).toBe(false);
  expect(denied({ serverCommand: ['npx', '-y', 'bad'] }, { command: 'npx', args: ['-y', 'bad'] })).toBe(true);
  expect(
    denied({ serverCommand: ['npx', '-y', 'bad'] }, { command: 'npx', args: ['-y', '${env:PKG}'] }),
  ).toBe(true);
  expect(denied({ serverCommand: ['npx', 'bad'] }, { command: 'npx', args: ['-y', 'bad'] })).toBe(false);
  for (const [pattern, url, expected] of [
    ['https://*.evil.example/*', 'https://mcp.evil.example/x', true],
    ['https://*.evil.example/*', 'https://mcp.EVIL.example./x', true],
    ['https://mcp.evil.example', 'https://mcp.evil.example/any/path?x=1', true],
    ['*://mcp.evil.example/*', 'http://mcp.evil.example/mcp', true],
    ['http://localhost:*/*', 'http://localhost:3000/mcp', true],
    ['https://a.example:443/*', 'https://a.example/mcp', true],
    ['https://*.evil.example/*', 'https://good.example/a.evil.example/x', false],
    ['https://a.example/mcp', 'https://a.example/mcp2', false],
  ] as const)
    expect(denied({ serverUrl: pattern }, at(url)), `${pattern} ${url}`).toBe(expected);
});

it('allows what is listed alone, and names the file and the rule', () => {
  const rules = [{ serverUrl: 'https://good.example/*' }, { serverName: 'github' }];
  expect(objection({ allowedMcpServers: rules }, at('https://good.example/mcp'))).toBeUndefined();
  // A name does not let an address in where addresses are listed.
  expect(objection({ allowedMcpServers: rules }, at('https://evil.example/.good.example/'))).toContain(
    'allowedMcpServers',
  );
  expect(objection({ allowedMcpServers: rules }, { command: 'npx' })).toBeUndefined();
  const both = { command: 'npx', ...at('https://good.example/mcp') };
  expect(objection({ allowedMcpServers: rules.slice(0, 1) }, both)).toBeDefined();
  expect(objection({ allowedMcpServers: [] }, at('https://good.example'))).toContain(folder);
  expect(objection({ permissions: {} }, at('https://good.example'))).toBeUndefined();
  const denial = objection({ deniedMcpServers: [{ serverName: 'github' }] }, at('https://good.example'));
  expect(denial).toContain('managed-settings.json: deniedMcpServers has {"serverName":"github"}');
});

it('denies everything when a file cannot be read or understood', () => {
  for (const broken of ['{', '[]', '{"deniedMcpServers":{}}', '{"deniedMcpServers":[{"name":"x"}]}', ''])
    expect(objection(broken, at('https://a.example')), broken).toContain('no server is allowed');
  const config = serverSchema.parse({ name: 'a', url: 'https://a.example' });
  const of = (files: string[], required?: string[]): string | undefined =>
    readManagedLists(files, required).objection('a', config, (text) => text);
  expect(of([folder])).toContain('cannot be read');
  expect(of([join(folder, 'none')])).toBeUndefined();
  expect(of([], [join(folder, 'none')])).toContain('cannot be read');
});

it('looks where Claude Code and Copilot look', () => {
  expect(managedFiles('linux', {})).toContain('/etc/claude-code/managed-settings.json');
  expect(managedFiles('darwin', {})[0]).toBe('/Library/Application Support/ClaudeCode/managed-settings.json');
  expect(managedFiles('win32', {})).toContain('C:\\Program Files\\GitHubCopilot\\managed-settings.json');
});
