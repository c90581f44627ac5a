import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import {
  ask,
  connectModern,
  ENVELOPE,
  messagesOf,
  send,
  type Message,
  type Sending,
} from '../support/modern.ts';

let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  fixture = await startFixture();
  gateway = await startGateway({
    config: configOf({
      common: [
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
        `{ name: stdio, command: node, args: ["${FIXTURE}"], protocol: legacy }`,
        `{ name: modern, command: node, args: ["${FIXTURE}"], protocol: modern }`,
      ],
      other: [EVERYTHING],
    }),
  });
  await ask(gateway, '/mcp', 'tools/list');
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

const OWN = '/mcp/common/http';
const TEXT = { name: 'test_simple_text', arguments: {} };
const call = (
  sending: Sending,
  params: Record<string, unknown> = TEXT,
): Promise<Message & { status: number }> => ask(gateway, OWN, 'tools/call', params, sending);

describe('a request of the modern era', () => {
  it.each<[string, Sending, number, number, object]>([
    [
      'lacks its version',
      { meta: { [ENVELOPE.version]: undefined } },
      400,
      -32602,
      { missing: [ENVELOPE.version] },
    ],
    [
      'lacks its capabilities',
      { meta: { [ENVELOPE.capabilities]: undefined } },
      400,
      -32602,
      { missing: [ENVELOPE.capabilities] },
    ],
    ['declares no object', { meta: { [ENVELOPE.capabilities]: [] } }, 400, -32602, {}],
    ['wants an unknown log level', { meta: { [ENVELOPE.logLevel]: 'loud' } }, 400, -32602, {}],
    ['lacks the version header', { headers: { 'mcp-protocol-version': undefined } }, 400, -32020, {}],
    ['has another version header', { headers: { 'mcp-protocol-version': '2025-11-25' } }, 400, -32020, {}],
    [
      'is of an unknown version',
      { headers: { 'mcp-protocol-version': '2099-01-01' }, meta: { [ENVELOPE.version]: '2099-01-01' } },
      400,
      -32022,
      { supported: ['2026-07-28'], requested: '2099-01-01' },
    ],
    ['lacks Mcp-Method', { headers: { 'mcp-method': undefined } }, 400, -32020, { header: 'Mcp-Method' }],
    ['has another Mcp-Method', { headers: { 'mcp-method': 'tools/list' } }, 400, -32020, {}],
    ['lacks Mcp-Name', { headers: { 'mcp-name': undefined } }, 400, -32020, { header: 'Mcp-Name' }],
    ['has another Mcp-Name', { headers: { 'mcp-name': 'test_sampling' } }, 400, -32020, {}],
    ['has a broken Mcp-Name', { headers: { 'mcp-name': '=?base64?%%?=' } }, 400, -32020, {}],
  ])('that %s is refused with its code', async (_what, sending, status, code, data) => {
    const answer = await call({ ...sending, id: 'mine' });
    expect(answer).toMatchObject({ status, id: 'mine', error: { code } });
    expect(answer.error?.data ?? {}).toMatchObject(data);
  });

  it('may have its name in base64, and needs no client info', async () => {
    const name = `=?base64?${Buffer.from(TEXT.name).toString('base64')}?=`;
    expect(await call({ headers: { 'mcp-name': name } })).toMatchObject({
      status: 200,
      result: { resultType: 'complete', content: [{ type: 'text' }] },
    });
  });

  it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/get', 'made/up'])(
    'has no method %s',
    async (method) => {
      const params = { name: 'x', uri: 'x:1', level: 'info' };
      expect(await ask(gateway, OWN, method, params)).toMatchObject({ status: 404, error: { code: -32601 } });
    },
  );

  it('is a POST', async () => {
    for (const method of ['GET', 'DELETE']) {
      const headers = { authorization: `Bearer ${gateway.token}`, 'mcp-protocol-version': '2026-07-28' };
      const answer = await fetch(gateway.address + OWN, { method, headers });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
    }
  });

  it('finds nothing where there is nothing, or nothing for it', async () => {
    expect(await ask(gateway, '/mcp/common/nobody', 'tools/list')).toMatchObject({ status: 404 });
    expect(await ask({ ...gateway, token: 'tg_pat_x' }, OWN, 'tools/list')).toMatchObject({ status: 401 });
  });

  it.each<[string, Record<string, unknown>]>([
    ['tools/call', { name: 'nothing' }],
    ['resources/read', { uri: 'test://nothing' }],
    ['prompts/get', { name: 'nothing' }],
    ['tools/list', { cursor: 'bm9uc2Vuc2U' }],
    ['tools/call', { ...TEXT, inputResponses: null }],
    ['tools/call', { ...TEXT, inputResponses: { one: 1 } }],
    ['tools/call', { ...TEXT, requestState: 'made up' }],
    ['subscriptions/listen', { notifications: { toolsListChanged: 'yes' } }],
    ['subscriptions/listen', {}],
  ])('%s of %j is answered -32602', async (method, params) => {
    expect(await ask(gateway, OWN, method, params)).toMatchObject({ status: 200, error: { code: -32602 } });
  });

  it('for a resource that is not there names its URI', async () => {
    const answer = await ask(gateway, '/mcp', 'resources/read', { uri: 'nowhere://1' });
    expect(answer.error).toMatchObject({ code: -32602, data: { uri: 'nowhere://1' } });
  });
});

describe('the same address', () => {
  it('serves clients of both eras', async () => {
    const headers = { authorization: `Bearer ${gateway.token}` };
    const auto = new Client({ name: 'auto', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await auto.connect(
      new StreamableHTTPClientTransport(new URL(gateway.address + OWN), { requestInit: { headers } }),
    );
    const legacy = new LegacyClient({ name: 'legacy', version: '1' });
    await legacy.connect(new LegacyTransport(new URL(gateway.address + OWN), { requestInit: { headers } }));
    expect(auto.getProtocolEra()).toBe('modern');
    const [mine, theirs] = await Promise.all([auto.listTools(), legacy.listTools()]);
    expect(mine.tools.map(({ name }) => name)).toEqual(theirs.tools.map(({ name }) => name));
    expect((await legacy.callTool(TEXT)).content).toEqual((await auto.callTool(TEXT)).content);
    await Promise.all([auto.close(), legacy.close()]);
  });

  it('is described the same to everybody, merged where several servers are', async () => {
    const [all, again] = await Promise.all(
      ['/mcp', '/mcp'].map((path) => ask(gateway, path, 'server/discover')),
    );
    expect(all?.result).toMatchObject({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true },
        prompts: {},
        completions: {},
      },
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'toolgate' } },
    });
    expect(again?.result).toEqual(all?.result);
    const own = await ask(gateway, OWN, 'server/discover');
    expect(own.result?.['_meta']).toEqual({
      'io.modelcontextprotocol/serverInfo': { name: 'conformance-fixture', version: '1.0.0' },
    });
  });

  it('says for how long and for whom a list or resource may be kept', async () => {
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'])
      expect((await ask(gateway, '/mcp', method)).result).toMatchObject({
        resultType: 'complete',
        ttlMs: expect.any(Number) as number,
        cacheScope: 'private',
      });
    for (const server of ['http', 'modern']) {
      const params = { uri: 'test://static-text' };
      const { result } = await ask(gateway, `/mcp/common/${server}`, 'resources/read', params);
      expect(result).toMatchObject({ ttlMs: expect.any(Number) as number, cacheScope: 'private' });
    }
  });

  it('shows tools of many servers under their prefixes, and calls them so', async () => {
    const { result } = await ask(gateway, '/mcp/common', 'tools/list');
    const names = (result?.['tools'] as { name: string }[]).map(({ name }) => name);
    for (const server of ['http', 'stdio', 'modern']) {
      const name = `${server}__test_simple_text`;
      expect(names).toContain(name);
      const answer = await ask(gateway, '/mcp/common', 'tools/call', { name, arguments: {} });
      expect(answer.result).toMatchObject({ resultType: 'complete', content: [{ type: 'text' }] });
    }
  });

  it('offers discovery tools', async () => {
    const params = { name: 'search_tools', arguments: { query: 'simple text' } };
    const { result } = await ask(gateway, '/mcp/_discover', 'tools/call', params);
    expect(result).toMatchObject({
      resultType: 'complete',
      structuredContent: { total: expect.any(Number) as number },
    });
  });
});

describe.each(['http', 'stdio', 'modern'])('a modern client of the server %s', (server) => {
  const path = `/mcp/common/${server}`;

  it('is served everything that servers offer', async () => {
    const client = await connectModern(gateway, path);
    expect((await client.callTool({ name: 'test_image_content', arguments: {} })).content).toMatchObject([
      { type: 'image', mimeType: 'image/png' },
    ]);
    const prompt = { name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } };
    expect((await client.getPrompt(prompt)).messages).toHaveLength(1);
    const { contents } = await client.readResource({ uri: 'test://static-text' });
    expect(contents[0]).toMatchObject({ uri: 'test://static-text', mimeType: 'text/plain' });
    const ref = { type: 'ref/prompt' as const, name: 'test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: '' } });
    expect(Array.isArray(completion.values)).toBe(true);
    const failed = await client.callTool({ name: 'test_error_handling', arguments: {} });
    expect(failed.isError).toBe(true);
    await client.close();
  });

  it('sees progress', async () => {
    const client = await connectModern(gateway, path);
    const seen: number[] = [];
    await client.callTool(
      { name: 'test_tool_with_progress', arguments: {} },
      { onprogress: ({ progress }) => void seen.push(progress) },
    );
    expect(seen).toEqual([0, 50, 100]);
    await client.close();
  });

  it('sees log messages when it asks for them, and those only', async () => {
    const logs = async (level?: string): Promise<unknown[]> => {
      const meta = level === undefined ? {} : { [ENVELOPE.logLevel]: level };
      const params = { name: 'test_tool_with_logging', arguments: {} };
      const messages = await messagesOf(await send(gateway, path, 'tools/call', params, { meta }));
      expect(messages.at(-1)?.result).toBeDefined();
      return messages.filter(({ method }) => method === 'notifications/message');
    };
    expect(await logs()).toEqual([]);
    expect(await logs('info')).toHaveLength(3);
    expect(await logs('error')).toEqual([]);
    expect(await logs('debug')).toHaveLength(3);
  });

  it('is asked what it can be asked, in as many rounds as it takes', async () => {
    const client = await connectModern(gateway, path, { elicitation: {}, sampling: {}, roots: {} });
    const asked: string[] = [];
    client.setRequestHandler('elicitation/create', ({ params }) => {
      asked.push(params.message);
      return {
        action: 'accept',
        content: { username: 'ada', email: 'a@b.c', name: 'Ada', color: 'blue', context: 'home' },
      };
    });
    client.setRequestHandler('sampling/createMessage', () => {
      asked.push('model');
      return { role: 'assistant', model: 'test', content: { type: 'text', text: 'because' } };
    });
    client.setRequestHandler('roots/list', () => {
      asked.push('roots');
      return { roots: [{ uri: 'file:///home/ada' }] };
    });
    const text = async (name: string, args: Record<string, unknown> = {}): Promise<unknown> => {
      const { content } = await client.callTool({ name, arguments: args });
      return (content as { text?: string }[])[0]?.text;
    };
    expect(await text('test_elicitation', { message: 'Who?' })).toContain('"username":"ada"');
    expect(await text('test_sampling', { prompt: 'Why?' })).toContain('because');
    expect(await text('test_list_roots')).toContain('file:///home/ada');
    expect(asked.splice(0)).toEqual(['Who?', 'model', 'roots']);
    expect(await text('test_input_required_result_multi_round')).toBe('Multi-round complete');
    expect(asked.splice(0)).toHaveLength(2);
    expect(await text('test_input_required_result_multiple_inputs')).toContain('All answered');
    expect(asked.splice(0).sort()).toEqual(['What is your name?', 'model', 'roots']);
    const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
    expect(JSON.stringify(messages)).toContain('Context: home');
    await client.close();
  });

  it('that cannot be asked is not', async () => {
    const answer = await ask(gateway, path, 'tools/call', {
      name: 'test_elicitation',
      arguments: { message: 'Who?' },
    });
    expect(answer.result?.['resultType']).not.toBe('input_required');
    expect(answer.error ?? answer.result).toBeDefined();
  });

  it('is asked its own questions only, many at once', async () => {
    const people = ['ada', 'grace', 'edsger'].map(async (name) => {
      const client = await connectModern(gateway, path, { elicitation: {} });
      client.setRequestHandler('elicitation/create', ({ params }) => ({
        action: 'accept',
        content: { username: `${name} ${params.message}`, email: `${name}@example.com` },
      }));
      const answers = await Promise.all(
        ['one', 'two'].map(async (message) => {
          const result = await client.callTool({
            name: 'test_elicitation',
            arguments: { message: `${name}-${message}` },
          });
          return JSON.stringify(result.content);
        }),
      );
      await client.close();
      expect(answers[0]).toContain(`${name} ${name}-one`);
      expect(answers[1]).toContain(`${name} ${name}-two`);
    });
    await Promise.all(people);
  });
});
