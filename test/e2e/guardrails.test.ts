import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { guardListSchema } from '../../gateway/contract/guards.ts';
import { createAgentClient, eventOf, gather } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { calls, chunk, DONE, says, startOpenAiWire, usage, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P26 P144 P145 P182 What goes to tools and models and what comes back passes the guardrails; servers tell what reached them. */
const SECRET = 'the-secret-of-the-guard';
const KEY = 'AKIAIOSFODNN7EXAMPLE';
let server: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;
let service: Server;
let answerOf: (
  body: Record<string, unknown>,
  path: string,
) => { status?: number; body?: unknown; silent?: boolean };
const asked: {
  path: string;
  body: Record<string, unknown>;
  signed: boolean;
  authorization: string | undefined;
}[] = [];

const SERVERS = [
  'pii',
  'secret',
  'words',
  'rows',
  'fields',
  'tagged',
  'db',
  'hook',
  'lax',
  'watch',
  'first',
  'judged',
  'seen',
  'plain',
];

beforeAll(async () => {
  server = await startCountingServer();
  wire = await startOpenAiWire();
  service = createServer((req, res) => {
    let text = '';
    req.on('data', (part: Buffer) => (text += part.toString()));
    req.on('end', () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      const header = String(req.headers['x-toolgate-signature']);
      const t = /t=(\d+)/.exec(header)?.[1] ?? '';
      const mac = createHmac('sha256', SECRET).update(`${t}.${text}`).digest('hex');
      const path = req.url ?? '';
      asked.push({
        path,
        body,
        signed: header === `t=${t},v1=${mac}`,
        authorization: req.headers.authorization,
      });
      const { status = 200, body: answer, silent } = answerOf(body, path);
      if (silent !== true)
        res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const only = (name: string): string => `when: { servers: ["g:${name}"] }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
${SERVERS.filter((name) => name !== 'judged')
  .map((name) => `      - ${server.entry(name)}`)
  .join('\n')}
      - ${server.entry('judged', `, tools: [{ match: listCollections, effect: deny, when: 'args.database == "[HR]"' }]`)}
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big, strict, whole, plain], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  guardrails:
    - { name: people, kind: pii, ${only('pii')}, hooks: [toolArguments, toolResult], operation: mutate, entities: [email, creditCard] }
    - { name: keys, kind: secrets, ${only('secret')}, hooks: [toolResult] }
    - { name: forbidden, kind: regex, ${only('words')}, hooks: [toolArguments], patterns: [{ pattern: "(?i)project x" }], message: "We do not speak of it." }
    - { name: hr, kind: cel, ${only('rows')}, hooks: [toolArguments], deny: 'args.database == "hr"' }
    - { name: shape, kind: schema, ${only('fields')}, hooks: [toolArguments], schema: { required: [database] } }
    - { name: tagged, kind: metadata, ${only('tagged')}, hooks: [toolArguments], keys: [ticket] }
    - { name: safe-sql, kind: sql, ${only('db')}, hooks: [toolArguments], arguments: [echo] }
    - { name: ours, kind: webhook, ${only('hook')}, hooks: [toolArguments, toolResult], operation: mutate, url: "${url}/ours", secret: "\${env:GUARD_SECRET}", config: { level: 3 }, allowPrivateAddress: true, timeout: 400ms }
    - { name: lax, kind: webhook, ${only('lax')}, hooks: [toolArguments], mode: enforce-but-ignore-errors, url: "${url}/lax", allowPrivateAddress: true, timeout: 400ms }
    - { name: watching, kind: pii, ${only('watch')}, hooks: [toolArguments], mode: audit }
    - { name: second, kind: regex, ${only('first')}, hooks: [toolArguments], patterns: [{ pattern: "b", replace: "c" }], operation: mutate, priority: 20 }
    - { name: first, kind: regex, ${only('first')}, hooks: [toolArguments], patterns: [{ pattern: "a", replace: "b" }], operation: mutate, priority: 10 }
    - { name: into-hr, kind: regex, ${only('judged')}, hooks: [toolArguments], patterns: [{ pattern: "people", replace: "[HR]" }], operation: mutate }
    - { name: unseen, kind: hidden-text, ${only('seen')}, hooks: [toolResult], operation: mutate }
    - { name: mask-chat, kind: pii, when: { models: ["wire/big"] }, hooks: [modelInput, modelOutput], operation: mutate, entities: [email] }
    - { name: no-mail, kind: pii, when: { models: ["wire/strict"] }, hooks: [modelOutput], entities: [email] }
    - { name: nsfw, kind: moderation, when: { models: ["wire/whole"] }, hooks: [modelOutput], apiKey: "\${env:GUARD_SECRET}", baseUrl: "${url}/v1", allowPrivateAddress: true }
`,
    env: { GUARD_SECRET: SECRET },
  });
  people = await createPeople(gateway, ['ann']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  service.close();
  service.closeAllConnections();
  await server.close();
});
beforeEach(() => {
  server.clear();
  asked.length = 0;
  wire.requests.length = 0;
  answerOf = () => ({ body: { verdict: true } });
});

const call = (at: string, args: Record<string, unknown> = {}): Promise<ApiAnswer> =>
  people.api('ann', 'POST', '/calls', { server: `g:${at}`, tool: 'listCollections', arguments: args });
const ruled = ({ status, body }: ApiAnswer): unknown => [status, body['rule']];
const text = ({ body }: ApiAnswer): string => JSON.stringify(body['result']);
const run = (model: string, content: string, more: object = {}) =>
  createAgentClient(gateway.address, people.tokens['ann'] ?? '').post({
    ...{ model: `wire/${model}`, stream: true, messages: [{ role: 'user', content }] },
    ...more,
  });

describe('personal data', () => {
  it('never reaches the tool, by any way, and does not come back from it', async () => {
    const echo = 'mail ann@example.com, card 4111 1111 1111 1111';
    const masked = 'mail [EMAIL], card [CREDIT_CARD]';
    expect(text(await call('pii', { echo }))).toContain(masked);
    const caller = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    const params = { name: 'listCollections', arguments: { echo } };
    expect(JSON.stringify(await askModern(caller, '/mcp/g/pii', 'tools/call', params))).toContain(masked);
    wire.reply(
      calls([{ id: 'c', name: 'pii__listCollections', arguments: JSON.stringify({ echo }) }]),
      says('done'),
    );
    const { events } = await run('plain', 'go', { mcp_servers: [{ integration_fqn: 'g:pii' }] });
    const told = [];
    for await (const event of events) told.push(event);
    expect(eventOf(told, 'guardrail.triggered')).toMatchObject({
      ...{ rule: 'people', effect: 'changed', server: 'toolgate:g:pii', tool: 'listCollections' },
      message: 'people replaced 1 email, 1 creditCard',
    });
    expect(server.seen.map(({ args }) => args)).toEqual([
      { echo: masked },
      { echo: masked },
      { echo: masked },
    ]);
    const { body } = await people.api('owner', 'GET', '/activity?limit=20');
    const notes = (body['calls'] as { notes: string | null }[]).map((one) => one.notes);
    expect(notes.filter((one) => one === 'changed people')).toHaveLength(3);
    expect(gateway.output()).not.toContain('ann@example.com');
  });

  it('is noted and let through where a guard only watches', async () => {
    expect((await call('watch', { echo: 'ann@example.com' })).status).toBe(200);
    expect(server.seen[0]?.args).toEqual({ echo: 'ann@example.com' });
    const { body } = await people.api('owner', 'GET', '/activity?limit=1');
    expect(body['calls']).toMatchObject([{ notes: 'audited watching' }]);
  });
});

describe('what is refused', () => {
  it('in arguments never reaches the server, and is answered with the rule and its words', async () => {
    const words = await call('words', { echo: 'about Project X' });
    expect([ruled(words), String(words.body['detail'])]).toEqual([
      [422, 'forbidden'],
      'listCollections: the arguments did not pass: We do not speak of it.',
    ]);
    expect(ruled(await call('rows', { database: 'hr' }))).toEqual([422, 'hr']);
    expect(ruled(await call('fields', { echo: 'x' }))).toEqual([422, 'shape']);
    expect(ruled(await call('tagged'))).toEqual([422, 'tagged']);
    expect(ruled(await call('db', { echo: 'delete from users' }))).toEqual([422, 'safe-sql']);
    expect(server.seen).toEqual([]);
    for (const [at, args] of [
      ['words', { echo: 'about project y' }],
      ['rows', { database: 'it' }],
      ['fields', { database: 'x' }],
      ['db', { echo: 'select 1' }],
    ] as const)
      expect((await call(at, args)).status).toBe(200);
    const tagged = await fetch(`${gateway.address}/api/v1/calls`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${people.tokens['ann'] ?? ''}`,
        'content-type': 'application/json',
        'x-toolgate-metadata': '{"ticket":"T-1"}',
      },
      body: JSON.stringify({ server: 'g:tagged', tool: 'listCollections', arguments: {} }),
    });
    expect(tagged.status).toBe(200);
  });

  it('in a result does not reach the caller', async () => {
    const refused = await call('secret', { echo: `the key is ${KEY}` });
    expect(ruled(refused)).toEqual([422, 'keys']);
    expect(JSON.stringify(refused.body)).not.toContain(KEY);
    expect((await call('secret', { echo: 'no key' })).status).toBe(200);
  });
});

describe('the guards that are on', () => {
  it('are told at start and to administrators, and those that only watch as such', async () => {
    const { body } = await people.api('owner', 'GET', '/guards');
    const { guards } = guardListSchema.parse(body);
    const found = Object.fromEntries(guards.map(({ name, ...rest }) => [name, rest]));
    expect(found['guardrails']?.active).toBe(true);
    expect(found['guardrails']?.detail).toMatch(/^people, keys, .*watching \(audit\)/);
    expect(found['rate-limits']).toEqual({ active: false, detail: 'none' });
    expect(gateway.output()).toMatch(/"guardrails":"on: people, keys/);
  });
});

describe('several guards', () => {
  it('are asked by their priority, each after what the one before made of it', async () => {
    await call('first', { echo: 'a' });
    expect(server.seen[0]?.args).toEqual({ echo: 'c' });
  });

  it('cannot change arguments into what is denied', async () => {
    expect((await call('judged', { database: 'people' })).status).toBe(403);
    expect(server.seen).toEqual([]);
  });
});

describe('text that nobody sees', () => {
  it('is shown in results, and in what tools say of themselves', async () => {
    const hidden = `hello${String.fromCodePoint(0xe0068, 0xe0069)} there\u202e`;
    expect(text(await call('seen', { echo: hidden }))).toMatch(/hello\[hidden: .*hi.*\] there\[U\+202E/);
    const caller = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    const { result } = await askModern(caller, '/mcp/g/seen', 'tools/list');
    expect(JSON.stringify(result)).toMatch(/Lists\[hidden: .*obey.*\] collections/);
  });
});

describe('a webhook', () => {
  it('is asked before and after, signed, and may change both', async () => {
    answerOf = ({ requestBody, responseBody }) => ({
      body: {
        verdict: true,
        transformed: true,
        result:
          responseBody === null
            ? { ...(requestBody as object), echo: 'changed' }
            : { content: [{ type: 'text', text: 'mine' }] },
      },
    });
    expect(text(await call('hook', { echo: 'x' }))).toContain('mine');
    expect(server.seen[0]?.args).toEqual({ echo: 'changed' });
    expect(asked).toMatchObject([
      {
        signed: true,
        body: {
          ...{ requestBody: { echo: 'x' }, responseBody: null, config: { level: 3 } },
          context: { hook: 'toolArguments', subject: 'user:ann', server: 'g:hook', tool: 'listCollections' },
        },
      },
      { signed: true, body: { requestBody: null, context: { hook: 'toolResult' } } },
    ]);
  });

  it('refuses, in its own words', async () => {
    answerOf = () => ({ body: { verdict: false, message: 'Not in this house.' } });
    const refused = await call('hook');
    expect([ruled(refused), String(refused.body['detail'])]).toEqual([
      [422, 'ours'],
      'listCollections: the arguments did not pass: Not in this house.',
    ]);
    expect(server.seen).toEqual([]);
  });

  it.each([
    ['answers an error', { status: 500 }],
    ['answers what it should not', { body: { verdict: 'yes' } }],
    ['does not answer', { silent: true }],
  ])('that %s refuses, or is passed over where it is to be', async (_how, answer) => {
    answerOf = () => answer;
    expect(ruled(await call('hook'))).toEqual([422, 'ours']);
    expect(server.seen).toEqual([]);
    expect((await call('lax')).status).toBe(200);
    const { body } = await people.api('owner', 'GET', '/activity?limit=1');
    expect(body['calls']).toMatchObject([{ notes: 'failed lax' }]);
  });
});

describe('models', () => {
  const streamed = (...pieces: string[]) => ({
    steps: [...pieces.map((content) => chunk({ content })), chunk({}, 'stop'), usage(1, 1), DONE],
  });
  const textOf = async (
    model: string,
    content: string,
  ): Promise<{ text: string; error: string | undefined }> => {
    const { events, response } = await run(model, content);
    if (!response.ok)
      return { text: '', error: ((await response.json()) as { error: { code: string } }).error.code };
    const all = [];
    for await (const event of events) all.push(event);
    return {
      text: gather(all).text,
      error: all.find(({ error }) => error !== undefined)?.error?.code ?? undefined,
    };
  };

  it('get and say nothing that is masked, however it is cut', async () => {
    wire.reply(streamed('Write to an', 'n@exam', 'ple.com or b', 'en@example.org.'));
    expect(await textOf('big', 'I am cleo@example.com')).toEqual({
      text: 'Write to [EMAIL] or [EMAIL].',
      error: undefined,
    });
    expect(wire.requests[0]?.body.messages?.at(-1)?.content).toBe('I am [EMAIL]');
  });

  it('are cut off before what is refused', async () => {
    wire.reply(streamed('word '.repeat(300), 'Write to ann@exa', 'mple.com'));
    const { text: said, error } = await textOf('strict', 'hello');
    expect(error).toBe('content_blocked');
    expect(said).toMatch(/^(?:word )+/);
    expect(said).not.toContain('Write');
  });

  const asksFor = (model: string, echo: string) => {
    const args = JSON.stringify({ echo, rows: 1 });
    wire.reply(calls([{ id: 'c', name: 'plain__listCollections', arguments: args }]));
    return run(model, 'go', { mcp_servers: [{ integration_fqn: 'g:plain' }] });
  };

  it('ask for calls without what is masked, and whoever reads along never sees it', async () => {
    const all = [];
    wire.otherwise(() => says('done'));
    for await (const event of (await asksFor('big', 'say "hi" to ann@example.com')).events) all.push(event);
    const masked = { echo: 'say "hi" to [EMAIL]', rows: 1 };
    expect(gather(all).calls.map(({ arguments: args }) => JSON.parse(args) as unknown)).toEqual([masked]);
    expect(server.seen.map(({ args }) => args)).toEqual([masked]);
    expect(JSON.stringify(all)).not.toContain('ann@');
    expect(gather(all).text).toBe('done');
  });

  it('get no call through that is refused, not even to a reader', async () => {
    const { response } = await asksFor('strict', 'ann@example.com');
    const told = await response.text();
    expect([response.status, told]).toEqual([400, expect.stringContaining('content_blocked')]);
    expect(told).not.toContain('ann@');
    expect(server.seen).toEqual([]);
  });

  it('are looked at as a whole by a moderation service, by its wire', async () => {
    const flagged = (is: boolean) => ({
      body: {
        ...{ id: 'modr-1', model: 'omni-moderation-latest' },
        results: [
          { flagged: is, categories: { violence: is }, category_scores: { violence: is ? 0.9 : 0.1 } },
        ],
      },
    });
    answerOf = () => flagged(false);
    wire.reply(streamed('All ', 'is well.'));
    expect((await textOf('whole', 'hello')).text).toBe('All is well.');
    expect(asked).toMatchObject([
      {
        path: '/v1/moderations',
        authorization: `Bearer ${SECRET}`,
        body: { model: 'omni-moderation-latest', input: 'All is well.' },
      },
    ]);
    answerOf = () => flagged(true);
    wire.reply(streamed('Something ', 'else.'));
    expect(await textOf('whole', 'hello')).toEqual({ text: '', error: 'content_blocked' });
  });
});
