import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explanationSchema } from '../../gateway/contract/access.ts';
import { createAgentClient } from '../support/agent-client.ts';
import { toolgate } from '../support/cli.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';

/**
 * P40–P46 P86 P87 P111–P114 The same rules hold by every way to a tool, and what is refused never reaches the server: it
 * counts.
 */
const RULES = [
  ', tools: [{ match: "delete*", effect: deny }, { match: runAggregation, effect: allow',
  ` when: 'args.database != "hr" || "hr" in principal.teams' }]`,
].join(',');

let database: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
const tokens: Record<string, string> = {};

const config = (): string => `version: 1
subjects:
  teams:
    - { name: finance, members: ["user:fay"] }
    - { name: hr, members: ["user:hal"] }
  users: [{ name: dan, disabled: true }]
  serviceAccounts: [{ name: report, team: finance }]
groups:
  - name: data
    environment: prod
    access: { use: ["team:finance", "team:hr", "user:dan"] }
    servers:
      - ${database.entry('mongo', RULES)}
      - ${database.entry('vault', ', access: { use: ["team:hr"] }')}
  - name: shared
    access: { use: [everyone] }
    servers:
      - { name: analytics, virtual: [{ server: "data:mongo", tools: ["@all"] }] }
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big, small], allowPrivateAddress: true }
  aliases: { large: wire/big }
  access:
    - { models: ["wire/big"], use: [everyone] }
    - { models: ["wire/small"], use: ["team:hr"], tools: ["@read-only"] }
`;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({ config: config() });
  tokens['owner'] = gateway.token;
  for (const name of ['fay', 'hal', 'eve', 'dan']) {
    const { stdout, stderr } = await toolgate([
      ...['token', 'create', '--config', gateway.configFile, '--data', gateway.dataDir, '--json'],
      ...['--name', name, '--subject', `user:${name}`],
    ]);
    expect(stderr).not.toContain('toolgate:');
    tokens[name] = (JSON.parse(stdout) as { token: string }).token;
  }
  const end = Date.now() + 10_000;
  while ((await api('dan', 'GET', '/registry')).status === 401 && Date.now() < end) await sleep(50);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await database.close();
});

async function api(
  who: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${gateway.address}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[who] ?? ''}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Wanted {
  readonly tool: string;
  readonly args: Record<string, unknown>;
}

/** Calls a tool of `data:mongo`, and tells whether there was a result that is none of the gateway's refusals. */
type Way = (who: string, wanted: Wanted) => Promise<boolean>;

async function withClient(
  who: string,
  path: string,
  use: (client: Client) => Promise<object>,
): Promise<boolean> {
  const client = new Client({ name: 'test', version: '1' });
  const url = new URL(gateway.address + path);
  const requestInit = { headers: { authorization: `Bearer ${tokens[who] ?? ''}` } };
  try {
    await client.connect(
      path.startsWith('/sse')
        ? // eslint-disable-next-line @typescript-eslint/no-deprecated -- the transport under test
          new SSEClientTransport(url, {
            requestInit,
            eventSourceInit: {
              fetch: (to, init) =>
                fetch(to, {
                  ...init,
                  headers: { ...Object.fromEntries(new Headers(init.headers)), ...requestInit.headers },
                }),
            },
          })
        : new StreamableHTTPClientTransport(url, { requestInit }),
    );
    const result = await use(client);
    return !('isError' in result) || result.isError !== true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

const at =
  (path: string, prefix: string): Way =>
  (who, { tool, args }) =>
    withClient(who, path, (client) => client.callTool({ name: prefix + tool, arguments: args }));

const WAYS: Readonly<Record<string, Way>> = {
  '/mcp': at('/mcp', 'mongo__'),
  '/mcp/{group}': at('/mcp/data', 'mongo__'),
  '/mcp/{group}/{server}': at('/mcp/data/mongo', ''),
  '/sse': at('/sse', 'mongo__'),
  'discovery tools': (who, { tool, args }) =>
    withClient(who, '/mcp/_discover', (client) =>
      client.callTool({ name: 'call_tool', arguments: { name: `mongo__${tool}`, arguments: args } }),
    ),
  'a modern client': async (who, { tool, args }) => {
    const caller = { address: gateway.address, token: tokens[who] ?? '' };
    const { result } = await askModern(caller, '/mcp/data', 'tools/call', {
      name: `mongo__${tool}`,
      arguments: args,
    });
    return result !== undefined && result['isError'] !== true;
  },
  '/api/v1/calls': async (who, { tool, args }) => {
    const { status } = await api(who, 'POST', '/calls', { server: 'data:mongo', tool, arguments: args });
    return status === 200;
  },
  'the agent': async (who, { tool, args }) => {
    const wanted = { id: 'c1', name: `mongo__${tool}`, arguments: JSON.stringify(args) };
    wire.otherwise(({ body }) =>
      body.messages?.some(({ role }) => role === 'tool') === true ? says('done') : calls([wanted]),
    );
    const agent = createAgentClient(gateway.address, tokens[who] ?? '');
    const { events } = await agent.post({
      model: 'large',
      stream: true,
      messages: [{ role: 'user', content: 'go' }],
      mcp_servers: [{ integration_fqn: 'toolgate:data:mongo' }],
    });
    let ran = false;
    for await (const { data } of events) ran ||= data.includes(`${tool} ran`);
    return ran;
  },
};

const LIST: Wanted = { tool: 'listCollections', args: { database: 'sales' } };
const SALES: Wanted = { tool: 'runAggregation', args: { database: 'sales' } };
const HR: Wanted = { tool: 'runAggregation', args: { database: 'hr' } };
const NAMELESS: Wanted = { tool: 'runAggregation', args: {} };
const DELETE: Wanted = { tool: 'deleteCollection', args: { database: 'sales' } };

/** Who may do which; everybody else may not. */
const MAY: readonly (readonly [Wanted, readonly string[]])[] = [
  [LIST, ['owner', 'fay', 'hal']],
  [SALES, ['owner', 'fay', 'hal']],
  [HR, ['hal']],
  // A condition that cannot be worked out allows nothing; for hal it is true whatever the database.
  [NAMELESS, ['hal']],
  [DELETE, []],
];
const PEOPLE = ['owner', 'fay', 'hal', 'eve', 'dan'];

describe.each(Object.entries(WAYS))('by %s', (_name, way) => {
  it.each(PEOPLE)('%s may do what the rules say, and the server sees nothing else', async (who) => {
    for (const [wanted, allowed] of MAY) {
      database.clear();
      const what = `${who} ${wanted.tool} ${JSON.stringify(wanted.args)}`;
      expect(await way(who, wanted), what).toBe(allowed.includes(who));
      const expected = allowed.includes(who)
        ? [{ method: 'tools/call', name: wanted.tool, args: wanted.args }]
        : [];
      expect(database.seen, what).toEqual(expected);
    }
  });
});

it('a virtual server opens a server’s tools to more people, and its rules hold', async () => {
  const way = at('/mcp/shared/analytics', '');
  for (const [wanted, allowed] of [
    [SALES, true],
    [HR, false],
    [DELETE, false],
  ] as const) {
    database.clear();
    expect(await way('eve', wanted)).toBe(allowed);
    expect(database.seen).toHaveLength(allowed ? 1 : 0);
  }
  expect(await way('hal', HR)).toBe(true);
});

it('resources, prompts and completions are for who may use the server', async () => {
  const uses: ((client: Client) => Promise<object>)[] = [
    (client) => client.readResource({ uri: 'db://schema' }),
    (client) => client.getPrompt({ name: 'report' }),
    (client) =>
      client.complete({ ref: { type: 'ref/prompt', name: 'report' }, argument: { name: 'a', value: '' } }),
  ];
  for (const use of uses) {
    for (const [who, server, may] of [
      ['fay', 'mongo', true],
      ['eve', 'mongo', false],
      ['fay', 'vault', false],
      ['hal', 'vault', true],
    ] as const) {
      database.clear();
      expect(await withClient(who, `/mcp/data/${server}`, use), `${who} ${server}`).toBe(may);
      expect(database.seen).toHaveLength(may ? 1 : 0);
    }
  }
});

it('what is not there and what is not for the caller are answered alike', async () => {
  const answers = await Promise.all(
    ['data:vault', 'data:nothing', 'nobody:vault'].map(async (server) => {
      const { status, body } = await api('fay', 'POST', '/calls', {
        server,
        tool: 'listCollections',
        arguments: {},
      });
      return {
        status,
        detail: String(body['detail']).replace(server, '…'),
        field: body['field'],
        rule: body['rule'],
      };
    }),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 404 });
});

it('a call that is refused for its arguments says so, with the rule', async () => {
  expect(
    await api('fay', 'POST', '/calls', { server: 'data:mongo', ...{ tool: HR.tool, arguments: HR.args } }),
  ).toMatchObject({
    status: 403,
    body: { rule: 'groups[0].servers[0].tools[1]' },
  });
});

describe('P43 models', () => {
  const models = async (who: string): Promise<string[]> => {
    const response = await fetch(`${gateway.address}/v1/models`, {
      headers: { authorization: `Bearer ${tokens[who] ?? ''}` },
    });
    return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  };

  it('are listed and used by whom their rules name', async () => {
    expect(await models('eve')).toEqual(['wire/big', 'large']);
    expect(await models('hal')).toEqual(['wire/big', 'wire/small', 'large']);
    const agent = createAgentClient(gateway.address, tokens['fay'] ?? '');
    const asked = wire.requests.length;
    const { response } = await agent.post({
      model: 'wire/small',
      messages: [{ role: 'user', content: 'x' }],
    });
    expect(response.status).toBe(404);
    expect(await response.text()).not.toContain('wire/small"?');
    expect(wire.requests).toHaveLength(asked);
  });

  it('are offered only the tools that they may call', async () => {
    wire.otherwise(() => says('ok'));
    const agent = createAgentClient(gateway.address, tokens['hal'] ?? '');
    await agent.all({
      model: 'wire/small',
      stream: true,
      messages: [{ role: 'user', content: 'x' }],
      mcp_servers: [{ integration_fqn: 'toolgate:data:vault' }],
    });
    expect(wire.requests.at(-1)?.body.tools?.map((tool) => tool.function.name)).toEqual([
      'vault__listCollections',
      'vault__runAggregation',
    ]);
  });
});

describe('an explanation', () => {
  const why = async (question: object): Promise<{ effect: string; rule: string; checks: string[] }> => {
    const { status, body } = await api('owner', 'POST', '/access/explain', question);
    expect(status, JSON.stringify(body)).toBe(200);
    const { effect, rule, steps } = explanationSchema.parse(body);
    return { effect, rule, checks: steps.map(({ check }) => check) };
  };

  it('names the rule that decides for any principal, target and arguments', async () => {
    const target = { server: 'data:mongo', tool: 'runAggregation' };
    expect(await why({ subject: 'user:fay', ...target })).toMatchObject({ effect: 'allow' });
    expect(await why({ subject: 'user:fay', ...target, arguments: { database: 'hr' } })).toEqual({
      effect: 'deny',
      rule: 'groups[0].servers[0].tools[1]',
      checks: ['group', 'server', 'tool', 'call'],
    });
    expect(
      await why({ subject: 'user:zoe', teams: ['hr'], ...target, arguments: { database: 'hr' } }),
    ).toMatchObject({
      effect: 'allow',
    });
    expect(await why({ subject: 'user:eve', ...target })).toEqual({
      effect: 'deny',
      rule: 'groups[0].access.use',
      checks: ['group'],
    });
    expect(await why({ subject: 'user:dan', ...target })).toMatchObject({
      rule: 'subjects.users[0].disabled',
    });
    expect(await why({ subject: 'user:fay', server: 'data:vault' })).toMatchObject({
      rule: 'groups[0].servers[1].access.use',
    });
    expect(await why({ subject: 'serviceaccount:report', ...target })).toMatchObject({ effect: 'allow' });
    expect(await why({ subject: 'serviceaccount:other', ...target })).toMatchObject({
      rule: 'subjects.serviceAccounts',
    });
    expect(await why({ subject: 'user:fay', model: 'wire/small' })).toMatchObject({ rule: 'models.access' });
  });

  it('is for administrators', async () => {
    const question = { subject: 'user:hal', server: 'data:vault' };
    for (const server of ['data:vault', 'data:nothing']) {
      expect(await api('fay', 'POST', '/access/explain', { ...question, server })).toMatchObject({
        status: 403,
        body: { rule: 'administrator' },
      });
    }
  });

  it('is a command too', async () => {
    const run = (...args: string[]): ReturnType<typeof toolgate> =>
      toolgate(['access', 'explain', '--gateway', gateway.address, '--token', gateway.token, ...args]);
    const { stdout, code } = await run(
      'data:mongo',
      'runAggregation',
      '{"database":"hr"}',
      '--subject',
      'user:fay',
    );
    expect(code).toBe(0);
    expect(stdout).toContain('Denied: user:fay (teams: finance), toolgate:data:mongo:runAggregation');
    expect(stdout).toContain('groups[0].servers[0].tools[1]');
  });
});

it('a wrong condition is an error that names its place', async () => {
  const { body: current } = await api('owner', 'GET', '/config');
  const text = String(current['text']).replace('"hr" in principal.teams', 'nobody.knows');
  const response = await fetch(`${gateway.address}/api/v1/config?dryRun=true`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ text, revision: current['revision'] }),
  });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('groups[0].servers[0].tools[1].when');
});
