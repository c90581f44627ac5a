import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  EmptyResultSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  type ClientCapabilities,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { processesWith } from '../support/processes.ts';

/** Tells the fixture's processes of this run apart. */
const MARK = `asking-${process.pid}`;
const ALL: ClientCapabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  fixture = await startFixture();
  const stdio = `command: node, args: ["${FIXTURE}"], env: { MARK: "${MARK}" }`;
  gateway = await startGateway({
    config: configOf({
      common: [
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
        `{ name: stdio, ${stdio}, protocol: legacy }`,
        `{ name: modern-http, url: "${fixture.url}", allowPrivateAddress: true }`,
        `{ name: modern-stdio, command: node, args: ["${FIXTURE}"], env: { MARK: "asking-modern-${process.pid}" } }`,
        EVERYTHING,
        `{ name: hasty, ${stdio}, protocol: legacy, timeouts: { call: 1s } }`,
        `{ name: modern-hasty, command: node, args: ["${FIXTURE}"], timeouts: { call: 1s } }`,
      ],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

interface Person {
  /** Who answers, as shown in every answer. */
  readonly name: string;
  readonly capabilities?: ClientCapabilities;
  readonly thinkMs?: number;
}

interface Session {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
  /** What the server asked, in order. */
  readonly asked: string[];
  call(name: string, args?: Record<string, unknown>): Promise<string>;
  end(): Promise<void>;
}

async function open(path: string, { name, capabilities = ALL, thinkMs = 0 }: Person): Promise<Session> {
  const client = new Client({ name, version: '1' }, { capabilities });
  const asked: string[] = [];
  const think = (what: string): Promise<void> => {
    asked.push(what);
    return new Promise((resolve) => setTimeout(resolve, thinkMs));
  };
  if (capabilities.sampling)
    client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => {
      await think(JSON.stringify(params.messages[0]?.content));
      return { role: 'assistant', model: 'test', content: { type: 'text', text: `thus speaks ${name}` } };
    });
  if (capabilities.elicitation)
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      await think(params.message);
      return { action: 'accept', content: { username: name, email: `${name}@example.com` } };
    });
  if (capabilities.roots)
    client.setRequestHandler(ListRootsRequestSchema, async () => {
      await think('roots');
      return { roots: [{ uri: `file:///home/${name}` }] };
    });
  const transport = new StreamableHTTPClientTransport(new URL(gateway.address + path), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  return {
    client,
    transport,
    asked,
    call: async (tool, args = {}) => {
      const result = await client.callTool({ name: tool, arguments: args });
      return (result.content as { text: string }[])[0]?.text ?? '';
    },
    end: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

describe.each(['http', 'stdio', 'modern-http', 'modern-stdio'])(
  'a server over %s that asks back',
  (server) => {
    const path = `/mcp/common/${server}`;

    it('reaches the client’s model, its user and its roots', async () => {
      const ada = await open(path, { name: 'ada' });
      expect(await ada.call('test_sampling', { prompt: 'Why?' })).toBe('LLM response: thus speaks ada');
      expect(await ada.call('test_elicitation', { message: 'Who?' })).toBe(
        'User response: action=accept, content={"username":"ada","email":"ada@example.com"}',
      );
      expect(await ada.call('test_list_roots')).toBe('Roots: file:///home/ada');
      expect(ada.asked).toEqual(['{"type":"text","text":"Why?"}', 'Who?', 'roots']);
      await ada.end();
    });

    it('asks each client its own questions only, many at once', async () => {
      const people = await Promise.all(
        ['ada', 'grace', 'edsger'].map((name) => open(path, { name, thinkMs: 50 })),
      );
      const answers = await Promise.all(
        people.flatMap((person, index) =>
          [1, 2].map((turn) => person.call('test_elicitation', { message: `${index}-${turn}` })),
        ),
      );
      expect(answers.map((text) => /"username":"(\w+)"/.exec(text)?.[1])).toEqual(
        ['ada', 'grace', 'edsger'].flatMap((name) => [name, name]),
      );
      expect(people.map(({ asked }) => asked.toSorted())).toEqual([
        ['0-1', '0-2'],
        ['1-1', '1-2'],
        ['2-1', '2-2'],
      ]);
      await Promise.all(people.map((person) => person.end()));
    });

    it('is told what the client can do, so that it does not ask what cannot be answered', async () => {
      const plain = await open(path, { name: 'plain', capabilities: { roots: {} } });
      const result = await plain.client.callTool({
        name: 'test_elicitation',
        arguments: { message: 'Who?' },
      });
      expect(result.isError).toBe(true);
      expect(JSON.stringify(result.content)).toContain('elicitation');
      await plain.end();
    });

    it('logs at the level a session has set, to that session', async () => {
      const [loud, silent] = await Promise.all([
        open(path, { name: 'loud' }),
        open(path, { name: 'silent' }),
      ]);
      const heard = { loud: [] as unknown[], silent: [] as unknown[] };
      loud.client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
        heard.loud.push(params.data);
      });
      silent.client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
        heard.silent.push(params.data);
      });
      await loud.client.setLoggingLevel('debug');
      await loud.call('test_tool_with_logging');
      expect(heard).toEqual({
        loud: ['Tool execution started', 'Tool processing data', 'Tool execution completed'],
        silent: [],
      });
      await Promise.all([loud.end(), silent.end()]);
    });

    it('announces a resource’s change to those who subscribed', async () => {
      const reader = await open(path, { name: 'reader' });
      const seen: string[] = [];
      reader.client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
        seen.push(params.uri);
      });
      const uri = 'test://watched-resource';
      await reader.call('test_update_resource', { uri });
      await reader.client.subscribeResource({ uri });
      expect(await reader.call('test_update_resource', { uri })).toBe('announced');
      await expect.poll(() => seen).toEqual([uri]);
      await reader.client.unsubscribeResource({ uri });
      await reader.call('test_update_resource', { uri });
      expect(seen).toEqual([uri]);
      await reader.end();
    });
  },
);

describe('a server that offers more to clients that can be asked', () => {
  const path = '/mcp/common/everything-mcp';
  const toolNames = async ({ client }: Session): Promise<string[]> =>
    (await client.listTools()).tools.map(({ name }) => name);

  it('shows each client its own tools, and lets it call those', async () => {
    const [plain, ada] = await Promise.all([
      open(path, { name: 'plain', capabilities: {} }),
      open(path, { name: 'ada' }),
    ]);
    const asking = ['trigger-sampling-request', 'trigger-elicitation-request', 'get-roots-list'];
    expect(await toolNames(ada)).toEqual(expect.arrayContaining(['echo', ...asking]));
    const plainNames = await toolNames(plain);
    expect(plainNames).toContain('echo');
    for (const name of asking) expect(plainNames).not.toContain(name);
    expect(await ada.call('trigger-sampling-request', { prompt: 'Why?', maxTokens: 10 })).toContain(
      'thus speaks ada',
    );
    expect(ada.asked.some((text) => text.includes('Why?'))).toBe(true);
    await expect(plain.call('trigger-sampling-request', { prompt: 'Why?' })).rejects.toThrow('Unknown tool');
    await Promise.all([plain.end(), ada.end()]);
  });
});

describe('a session’s own connection', () => {
  /** The two that everyone shares. */
  const SHARED = 2;
  const settled = async (count: number): Promise<void> =>
    expect.poll(() => processesWith(MARK).length, { timeout: 10_000 }).toBe(count);

  it('is opened for a client that can be asked, when it first calls, and ends with the session', async () => {
    await settled(SHARED);
    const plain = await open('/mcp/common/stdio', { name: 'plain', capabilities: {} });
    await plain.call('test_simple_text');
    const ada = await open('/mcp/common/stdio', { name: 'ada' });
    expect(processesWith(MARK)).toHaveLength(SHARED);
    await ada.call('test_simple_text');
    expect(processesWith(MARK)).toHaveLength(SHARED + 1);
    await ada.end();
    await settled(SHARED);
    await plain.end();
  });

  it('is opened again after a loss, with subscriptions and log level as they were', async () => {
    await settled(SHARED);
    const before = new Set(processesWith(MARK));
    const ada = await open('/mcp/common/stdio', { name: 'ada' });
    const logged: unknown[] = [];
    ada.client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      logged.push(params.data);
    });
    const uri = 'test://watched-resource';
    await ada.client.subscribeResource({ uri });
    await ada.client.setLoggingLevel('warning');
    for (const pid of processesWith(MARK)) if (!before.has(pid)) process.kill(pid, 'SIGKILL');
    await settled(SHARED);
    // A call that meets the dying process fails: nobody knows how far it came.
    await expect.poll(() => ada.call('test_update_resource', { uri }), { timeout: 20_000 }).toBe('announced');
    await ada.call('test_tool_with_logging');
    expect(logged).toEqual([]);
    await ada.end();
  });

  it.each(['hasty', 'modern-hasty'])('gives a person the time they need: %s', async (server) => {
    const slow = await open(`/mcp/common/${server}`, { name: 'slow', thinkMs: 2_500 });
    expect(await slow.call('test_elicitation', { message: 'Take your time' })).toContain('"username":"slow"');
    await slow.end();
  });

  it('is not there in aggregates, which say so', async () => {
    const ada = await open('/mcp/common', { name: 'ada' });
    expect(ada.client.getServerCapabilities()).not.toHaveProperty('logging');
    await expect(
      ada.client.request({ method: 'logging/setLevel', params: { level: 'info' } }, EmptyResultSchema),
    ).rejects.toThrow('does not offer logging/setLevel');
    const result = await ada.client.callTool({ name: 'http__test_sampling', arguments: { prompt: 'Why?' } });
    expect(result.isError).toBe(true);
    expect(ada.asked).toEqual([]);
    await ada.end();
  });
});

describe('a server of the modern era', () => {
  it('reaches the client in aggregates too, since each of its questions belongs to a call', async () => {
    const ada = await open('/mcp/common', { name: 'ada' });
    const name = 'modern-stdio__test_elicitation';
    expect(await ada.call(name, { message: 'Who?' })).toContain('"username":"ada"');
    await ada.end();
  });

  it('needs no connection of the session’s own', async () => {
    const ada = await open('/mcp/common/modern-stdio', { name: 'ada' });
    await ada.call('test_simple_text');
    const grace = await open('/mcp/common/modern-stdio', { name: 'grace' });
    await grace.call('test_simple_text');
    expect(processesWith(`asking-modern-${process.pid}`)).toHaveLength(1);
    await Promise.all([ada.end(), grace.end()]);
  });

  it('asks as often as it needs to, and what one round leaves for the next comes back to it', async () => {
    const ada = await open('/mcp/common/modern-http', { name: 'ada' });
    expect(await ada.call('test_input_required_result_multi_round')).toBe('Multi-round complete');
    expect(ada.asked).toEqual(['What is your name?', 'What colour?']);
    expect(await ada.call('test_input_required_result_multiple_inputs')).toContain('All answered');
    await ada.end();
  });

  it('that asks somebody who cannot be asked is answered for with words', async () => {
    const response = await fetch(`${gateway.address}/api/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        server: 'common:modern-http',
        tool: 'test_input_required_result_elicitation',
        arguments: {},
      }),
    });
    expect(response.status).toBe(422);
    const discovery = await open('/mcp/_discover/common', { name: 'ada' });
    const result = await discovery.client.callTool({
      name: 'call_tool',
      arguments: { name: 'modern-http__test_elicitation', arguments: { message: 'Who?' } },
    });
    expect(result.isError).toBe(true);
    expect(discovery.asked).toEqual([]);
    await discovery.end();
  });
});
