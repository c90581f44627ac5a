import { describe, expect, it } from 'vitest';
import { serverSchema } from '../../../gateway/config/schema.ts';
import type { Proposal } from '../../../gateway/contract/import.ts';
import { clientFiles } from '../../../gateway/registry/import/places.ts';
import { readProposal, type ImportContext } from '../../../gateway/registry/import/proposal.ts';

const CANARY = 'ghp_canary0123456789abcdef';
const read = (value: unknown, context?: ImportContext): Proposal =>
  readProposal(typeof value === 'string' ? value : JSON.stringify(value), context);
const one = (entry: unknown, context?: ImportContext): Record<string, unknown> => {
  const { servers, problems } = read({ mcpServers: { one: entry } }, context);
  expect(problems).toEqual([]);
  expect(() => serverSchema.parse(servers[0]!.server)).not.toThrow();
  return servers[0]!.server;
};
const refused = (entry: unknown, context?: ImportContext): string => {
  const { servers, problems } = read({ mcpServers: { one: entry } }, context);
  expect(servers).toEqual([]);
  return problems[0]!.message;
};

describe('the file of', () => {
  it('VS Code, with comments, inputs and its variables', () => {
    const text = `{
      // For our team.
      "inputs": [
        { "type": "promptString", "id": "github_token", "description": "GitHub token", "password": true },
        { "type": "pickString", "id": "region", "options": ["eu", "us"], "password": false, "default": "eu" },
      ],
      "servers": {
        "github": { "type": "http", "url": "https://api.githubcopilot.com/mcp/",
          "headers": { "Authorization": "Bearer \${input:github_token}" } },
        "local thing": { "type": "stdio", "command": "python", "args": ["\${workspaceFolder}/server.py", "--region=\${input:region}"],
          "env": { "HOME_OF": "\${userHome}", "PORT": 8080, "NOT": null, "KEY_ID": "\${env:KEY_ID}" }, "envFile": ".env" },
      },
    }`;
    const { servers, problems, inputs, secrets } = read(text, { folder: '/work', home: '/home/me' });
    expect(problems).toEqual([]);
    expect(secrets).toEqual([]);
    expect(servers.map(({ server }) => server)).toEqual([
      {
        name: 'github',
        url: 'https://api.githubcopilot.com/mcp/',
        auth: { type: 'header', headers: { Authorization: 'Bearer ${secret:github-github-token}' } },
      },
      {
        name: 'local-thing',
        command: 'python',
        args: ['/work/server.py', '--region=${secret:local-thing-region}'],
        env: { HOME_OF: '/home/me', PORT: '8080', KEY_ID: '${env:KEY_ID}' },
        cwd: '/work',
      },
    ]);
    expect(inputs).toMatchObject([
      {
        id: 'github_token',
        secret: 'github-github-token',
        description: 'GitHub token',
        password: true,
        usedBy: ['github'],
      },
      { id: 'region', password: false, default: 'eu' },
    ]);
    expect(servers[1]!.notes).toEqual([
      expect.stringContaining('envFile'),
      '"local thing" is called "local-thing" here',
    ]);
  });

  it("VS Code's settings and dev containers", () => {
    const servers = { a: { url: 'https://a.example/mcp' } };
    expect(read({ mcp: { servers } }).servers).toHaveLength(1);
    expect(read({ customizations: { vscode: { mcp: { servers } } } }).servers).toHaveLength(1);
  });

  it('Claude Desktop, with a token written out', () => {
    const { servers, secrets } = read({
      mcpServers: {
        github: {
          command: 'npx',
          args: ['-y', 'server-github'],
          env: { GITHUB_TOKEN: CANARY, LOG: 'debug' },
        },
      },
      globalShortcut: '',
    });
    expect(servers[0]!.server['env']).toEqual({
      GITHUB_TOKEN: '${secret:github-GITHUB-TOKEN}',
      LOG: 'debug',
    });
    expect(secrets).toEqual([{ name: 'github-GITHUB-TOKEN', value: CANARY, usedBy: ['github'] }]);
    expect(JSON.stringify(servers)).not.toContain(CANARY);
  });

  it('Claude Code, with projects and variables', () => {
    const { servers } = read(
      {
        numStartups: 3,
        mcpServers: { sentry: { type: 'http', url: 'https://mcp.sentry.dev/mcp', oauth: { clientId: 'x' } } },
        projects: { '/w/app': { mcpServers: { sentry: { type: 'sse', url: 'https://b.example/events' } } } },
      },
      { client: 'claude-code' },
    );
    expect(servers.map(({ server }) => server)).toEqual([
      { name: 'sentry', url: 'https://mcp.sentry.dev/mcp', auth: { type: 'oauth2', clientId: 'x' } },
      { name: 'sentry-2', url: 'https://b.example/events', transport: 'sse' },
    ]);
    expect(servers[0]!.notes).toEqual([]);
    expect(servers[1]!.notes[0]).toContain('/w/app');
    expect(one({ command: '${TOOLS:-/opt}', args: ['${HOME}'] })).toMatchObject({
      command: '${env:TOOLS}',
      args: ['${env:HOME}'],
    });
  });

  it('Cursor, Windsurf, Copilot CLI and Cline', () => {
    expect(one({ url: 'https://a.example/sse' })).toMatchObject({ transport: 'sse' });
    expect(
      one({ serverUrl: 'https://a.example/mcp', disabledTools: ['rm'] }, { client: 'windsurf' }),
    ).toMatchObject({
      url: 'https://a.example/mcp',
      tools: [{ match: 'rm', effect: 'deny' }],
    });
    expect(
      one({ type: 'local', command: 'uvx', args: ['x'], tools: ['read'] }, { client: 'copilot-cli' }),
    ).toMatchObject({
      tools: [{ match: 'read', effect: 'allow' }],
      unlistedTools: 'deny',
    });
    expect(one({ type: 'local', command: 'uvx', tools: ['*'] })).not.toHaveProperty('unlistedTools');
    expect(
      one(
        { transport: { type: 'streamableHttp', url: 'https://a.example/mcp' }, disabled: true, timeout: 60 },
        { client: 'cline' },
      ),
    ).toMatchObject({ disabled: true, timeouts: { call: '60000ms' } });
    expect(one({ url: 'https://a.example/mcp', timeout: 'soon' })).not.toHaveProperty('timeouts');
  });
});

describe('credentials', () => {
  it('of one value are one secret, whose name no other has', () => {
    const { servers, secrets } = read(
      {
        mcpServers: {
          a: { url: 'https://a.example/mcp', headers: { Authorization: `Bearer ${CANARY}` } },
          b: { command: 'x', args: ['--token', CANARY, `--api-key=${CANARY}`] },
        },
      },
      { secretsInUse: ['A_AUTHORIZATION'], taken: ['B'] },
    );
    expect(secrets).toEqual([{ name: 'a-Authorization-2', value: CANARY, usedBy: ['a', 'b-2'] }]);
    expect(servers[1]!.server).toMatchObject({
      name: 'b-2',
      args: ['--token', '${secret:a-Authorization-2}', '--api-key=${secret:a-Authorization-2}'],
    });
  });

  it('in an address are refused, and our own secrets and files cannot be named', () => {
    expect(refused({ url: `https://a.example/mcp?api_key=${CANARY}` })).toContain('"api_key"');
    expect(refused({ url: 'https://user:pass@a.example/mcp' })).toContain('user name');
    expect(refused({ url: 'https://a.example/${input:x}' })).toContain('variable');
    for (const reference of ['${secret:github}', '${file:/etc/passwd}', '${command:x}'])
      expect(refused({ url: 'https://evil.example/mcp', headers: { A: reference } })).toContain(reference);
    expect(refused({ command: 'x', args: ['${env:A'] })).toContain('not closed');
    // An input cannot take the place of a secret that is there.
    const { inputs } = read(
      { servers: { github: { url: 'https://evil.example', headers: { A: '${input:token}' } } } },
      { secretsInUse: ['github-token'] },
    );
    expect(inputs[0]!.secret).toBe('github-token-2');
  });
});

describe('what is broken or hostile', () => {
  it('costs its own entry alone', () => {
    const { servers, problems } = read({
      mcpServers: {
        good: { url: 'https://a.example/mcp' },
        empty: {},
        text: 'npx',
        strange: { type: 'carrier-pigeon', url: 'https://a.example' },
        wrong: { command: 'x', args: 'y' },
        nothing: null,
      },
    });
    expect(servers.map(({ name }) => name)).toEqual(['good']);
    expect(problems.map(({ entry }) => entry)).toEqual(['empty', 'text', 'strange', 'wrong', 'nothing']);
    expect(problems[2]!.message).toContain('carrier-pigeon');
  });

  it('is told with its line, and the rest is read', () => {
    const { servers, problems } = read(
      '{\n "mcpServers": {\n "a": { "command": "x" },\n "b": { "command": ! } } }',
    );
    expect(servers[0]!.name).toBe('a');
    expect(problems[0]).toMatchObject({ line: 4 });
    for (const text of ['', 'null', '[]', '"x"', '{}', 'servers'])
      expect(read(text).problems.length, text).toBeGreaterThan(0);
  });

  it('is bounded in size, depth and number', () => {
    expect(read(' '.repeat(5_000_000)).problems[0]!.message).toContain('4 MiB');
    expect(read('['.repeat(200_000)).problems[0]!.message).toContain('64 levels');
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`s${i}`, { command: 'x' }]));
    const { servers, problems } = read({ mcpServers: many });
    expect(servers).toHaveLength(500);
    expect(problems[0]!.message).toContain('600');
  });

  it('changes no prototype', () => {
    const { servers } = read(
      '{"mcpServers":{"__proto__":{"command":"x","env":{"__proto__":"y","constructor":"z"}},"constructor":{"command":"x","__proto__":{"disabled":true}}}}',
    );
    expect(servers.map(({ name }) => name)).toEqual(['proto', 'constructor']);
    expect(servers[1]!.server).not.toHaveProperty('disabled');
    expect(({} as Record<string, unknown>)['command']).toBeUndefined();
  });

  it('is not the gateway itself', () => {
    const gateway = 'http://127.0.0.1:8665';
    expect(refused({ url: `${gateway}/mcp` }, { gateway })).toContain('itself');
    expect(refused({ command: 'toolgate', args: ['connect', `${gateway}/mcp`] }, { gateway })).toContain(
      'itself',
    );
  });

  it('on this machine waits for consent', () => {
    const { servers } = read({ mcpServers: { a: { url: 'http://localhost:3000/mcp' } } });
    expect(servers[0]!.server).not.toHaveProperty('allowPrivateAddress');
    expect(servers[0]!.notes[0]).toContain('allowPrivateAddress');
    expect(one({ url: 'http://[::1]:3000/mcp' }, { allowPrivateAddress: true })).toMatchObject({
      allowPrivateAddress: true,
    });
  });
});

it('looks where clients keep their files on each platform', () => {
  const on = (platform: NodeJS.Platform, home: string, env = {}): string[] =>
    clientFiles({ platform, home, env, folder: platform === 'win32' ? 'C:\\w' : '/w' }).map(
      ({ file }) => file,
    );
  expect(on('linux', '/home/me')).toEqual(
    expect.arrayContaining([
      '/home/me/.config/Code/User/mcp.json',
      '/w/.vscode/mcp.json',
      '/home/me/.config/Claude/claude_desktop_config.json',
      '/home/me/.claude.json',
      '/home/me/.codeium/windsurf/mcp_config.json',
      '/home/me/.copilot/mcp-config.json',
    ]),
  );
  expect(on('darwin', '/Users/me')).toContain('/Users/me/Library/Application Support/Code/User/mcp.json');
  expect(on('win32', 'C:\\Users\\me', { APPDATA: 'C:\\R' })).toContain(
    'C:\\R\\Claude\\claude_desktop_config.json',
  );
});
