import { describe, expect, it } from 'vitest';
import {
  looksPrivate,
  serverOf,
  suggestName,
  words,
  type ServerDraft,
} from '../../../extension/serverDraft.ts';
import { parseConfig } from '../../../gateway/config/load.ts';

const DRAFT: ServerDraft = {
  kind: 'url',
  where: 'https://mcp.example.com/mcp',
  name: 'example',
  group: 'dev mcps',
  auth: 'none',
  header: 'X-API-Key',
  credential: '',
  allowPrivateAddress: false,
};

it.each([
  ['npx -y @scope/server', ['npx', '-y', '@scope/server']],
  [`node "my server.js" --flag='a b' ""`, ['node', 'my server.js', '--flag=a b', '']],
  ['C:\\tools\\run.exe --x', ['C:\\tools\\run.exe', '--x']],
  ['say a\\ b \\"c\\"', ['say', 'a b', '"c"']],
  ['   ', []],
])('%s is read as a command line', (line, expected) => {
  expect(words(line)).toEqual(expected);
});

it.each([
  ['command', 'npx -y @modelcontextprotocol/server-memory', 'server-memory'],
  ['command', 'uvx mcp-server-fetch@1.2.3', 'mcp-server-fetch'],
  ['command', '/opt/tools/weather.py --stdio', 'weather'],
  ['url', 'https://mcp.deepwiki.com/mcp', 'deepwiki'],
  ['url', 'https://api.githubcopilot.com/mcp/', 'githubcopilot'],
  ['url', 'http://127.0.0.1:8700/mcp', '127.0.0.1'],
  ['openapi', 'https://petstore.example.org/openapi.json', 'example'],
] as const)('%s %s is called %3$s', (kind, where, name) => {
  expect(suggestName(kind, where)).toBe(name);
});

it.each([
  ['http://localhost:3000/mcp', true],
  ['http://127.0.0.1/mcp', true],
  ['https://10.1.2.3/', true],
  ['http://[::1]:8080/', true],
  ['https://printer.local/', true],
  ['https://172.20.0.1/', true],
  ['https://172.32.0.1/', false],
  ['https://mcp.example.com/mcp', false],
])('%s looks private: %s', (address, expected) => {
  expect(looksPrivate(address)).toBe(expected);
});

describe('a draft', () => {
  const configOf = (draft: ServerDraft): unknown => {
    const { server } = serverOf(draft);
    const text = JSON.stringify({ version: 1, groups: [{ name: 'dev', servers: [server] }] });
    const parsed = parseConfig(text);
    if (!parsed.ok) throw new Error(parsed.issues[0]?.message);
    return parsed.config.groups[0]?.servers[0];
  };

  it('becomes a server the configuration takes, whatever its kind', () => {
    expect(configOf(DRAFT)).toMatchObject({ name: 'example', url: DRAFT.where, auth: { type: 'none' } });
    expect(configOf({ ...DRAFT, kind: 'command', where: 'npx -y "a b"' })).toMatchObject({
      command: 'npx',
      args: ['-y', 'a b'],
    });
  });

  it.each([
    ['bearer', { Authorization: 'Bearer ${secret:dev-mcps-example}' }],
    ['header', { 'X-API-Key': '${secret:dev-mcps-example}' }],
  ] as const)('with a %s credential names a secret, and does not hold it', (auth, headers) => {
    const draft = { ...DRAFT, auth, credential: 'opensesame' };
    expect(configOf(draft)).toMatchObject({ auth: { type: 'header', headers } });
    expect(serverOf(draft).secrets).toEqual({ 'dev-mcps-example': 'opensesame' });
    expect(JSON.stringify(serverOf(draft).server)).not.toContain('opensesame');
  });
});
