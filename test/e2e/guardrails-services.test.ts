import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ENVELOPE, messagesOf, send } from '../support/modern.ts';

/** P144 P145 P182 A server does not get around a guard that asks a service by logging or asking what it may not answer. */
interface Asked {
  readonly requestBody: unknown;
  readonly responseBody: unknown;
  readonly context: Record<string, unknown>;
}
let fixture: RunningFixture;
let gateway: RunningGateway;
let service: Server;
const asked: Asked[] = [];
const moderated: string[] = [];
/** What the service makes of a request: words that it refuses, else what it answers. */
let answer: (asked: Asked) => object | Promise<object>;

beforeAll(async () => {
  fixture = await startFixture();
  service = createServer((req, res) => {
    let text = '';
    req.on('data', (part: Buffer) => (text += part.toString()));
    req.on('end', () => {
      const body: unknown = JSON.parse(text);
      const reply = (made: object): void => void res.end(JSON.stringify(made));
      if (req.url === '/v1/moderations') {
        const { input } = body as { input: string };
        moderated.push(input);
        const hate = input.includes('execution started');
        reply({
          results: [{ flagged: hate, categories: { hate }, category_scores: { hate: hate ? 1 : 0 } }],
        });
        return;
      }
      asked.push(body as Asked);
      void Promise.resolve(answer(body as Asked)).then(reply);
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const url = `url: "${fixture.url}", allowPrivateAddress: true`;
  const hook = `kind: webhook, url: "${address}", allowPrivateAddress: true`;
  gateway = await startGateway({
    config: `${configOf({
      common: [
        ...['legacy', 'deaf', 'judged'].map((name) => `{ name: ${name}, ${url}, protocol: legacy }`),
        `{ name: modern, ${url} }`,
      ],
    })}
policies:
  guardrails:
    - { name: ours, ${hook}, when: { servers: ["*:legacy", "*:modern"] }, hooks: [toolArguments, toolResult], operation: mutate, timeout: 20s }
    - { name: down, kind: webhook, url: "http://127.0.0.1:9/", allowPrivateAddress: true, when: { servers: ["*:deaf"], tools: [test_tool_with_logging] }, hooks: [toolResult], mode: enforce }
    - { name: lax, ${hook}, when: { servers: ["*:deaf"], tools: [test_tool_with_logging] }, hooks: [toolResult], mode: enforce-but-ignore-errors }
    - { name: nsfw, kind: moderation, when: { servers: ["*:judged"], condition: 'tool.name == "test_tool_with_logging"' }, hooks: [toolResult], apiKey: key, baseUrl: "${address}/v1", allowPrivateAddress: true }
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
  service.close();
  service.closeAllConnections();
});
beforeEach(() => {
  asked.length = 0;
  moderated.length = 0;
  answer = () => ({ verdict: true });
});

async function open(server: string) {
  const client = new Client({ name: 'person', version: '1' }, { capabilities: { elicitation: {} } });
  const questions: string[] = [];
  const logged: unknown[] = [];
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    questions.push(params.message);
    return { action: 'accept', content: { username: 'ada', email: 'ada@example.com' } };
  });
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void logged.push(params.data),
  );
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/common/${server}`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  const call = async (name: string, args = {}): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text: string }[])[0]?.text ?? '';
  };
  return { client, questions, logged, call };
}

const refuses =
  (words: string) =>
  (one: Asked): object => ({ verdict: !JSON.stringify(one).includes(words) });
const beside = (): unknown[] => asked.map(({ context }) => context['beside']);

describe.each(['legacy', 'modern'])('a webhook in front of a %s server', (server) => {
  it('is shown what is logged, and holds back what it refuses', async () => {
    answer = refuses('processing data');
    const { client, logged, call } = await open(server);
    expect(await call('test_tool_with_logging')).toBe('Tool with logging executed successfully');
    expect(logged).toEqual(['Tool execution started', 'Tool execution completed']);
    expect(asked.find(({ context }) => context['beside'] === 'notifications/message')).toMatchObject({
      requestBody: null,
      responseBody: { data: 'Tool execution started' },
      context: { hook: 'toolResult', server: `common:${server}`, tool: null },
    });
    await client.close();
  });

  it('lets what it allows pass in its order, before the result', async () => {
    answer = async (one) => {
      // A slow service: what it lets pass does not overtake.
      if (JSON.stringify(one).includes('execution started')) await pause(500);
      return { verdict: true };
    };
    const { client, logged, call } = await open(server);
    await call('test_tool_with_logging');
    expect(logged).toEqual(['Tool execution started', 'Tool processing data', 'Tool execution completed']);
    await client.close();
  });

  it('does so for a client of the modern era', async () => {
    answer = refuses('processing data');
    const meta = { [ENVELOPE.logLevel]: 'info' };
    const params = { name: 'test_tool_with_logging', arguments: {} };
    const messages = await messagesOf(
      await send(gateway, `/mcp/common/${server}`, 'tools/call', params, { meta }),
    );
    const logged = messages.flatMap(({ method, params: said }) =>
      method === 'notifications/message' ? [(said as { data: unknown }).data] : [],
    );
    expect(logged).toEqual(['Tool execution started', 'Tool execution completed']);
  });

  it('is shown questions and answers: none that it refuses gets through', async () => {
    const { client, questions, call } = await open(server);
    answer = refuses('your password');
    expect(await call('test_elicitation', { message: 'What is your password?' })).toContain('did not pass');
    expect(questions).toEqual([]);
    answer = refuses('ada@example.com');
    expect(await call('test_elicitation', { message: 'Who?' })).toContain('did not pass');
    expect(questions).toEqual(['Who?']);
    await client.close();
  });

  it('is shown progress', async () => {
    const { client } = await open(server);
    const told: number[] = [];
    await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined, {
      onprogress: ({ progress }) => void told.push(progress),
    });
    expect(told).toEqual([0, 50, 100]);
    // Numbers say nothing: only words are shown.
    expect(beside()).toEqual([null, null]);
    await client.close();
  });
});

it('a webhook is told which question is asked, and changes question and answer', async () => {
  answer = ({ requestBody, responseBody, context }) => {
    if (context['beside'] !== 'elicitation/create') return { verdict: true };
    const text = JSON.stringify(requestBody ?? responseBody)
      .replace('Who', 'Which')
      .replace('ada@', 'bob@');
    return { verdict: true, transformed: true, result: JSON.parse(text) as unknown };
  };
  const { client, questions, call } = await open('legacy');
  expect(await call('test_elicitation', { message: 'Who?' })).toContain('bob@example.com');
  expect(questions).toEqual(['Which?']);
  expect(asked.map(({ context }) => [context['hook'], context['beside'], context['tool']])).toEqual([
    ['toolArguments', null, 'test_elicitation'],
    ['toolResult', 'elicitation/create', null],
    ['toolArguments', 'elicitation/create', null],
    ['toolResult', null, 'test_elicitation'],
  ]);
  await client.close();
});

it('a service that cannot be asked holds back all that is logged, and lax guards are not asked then', async () => {
  const { client, logged, call } = await open('deaf');
  expect(await call('test_tool_with_logging')).toMatch(/down could not be asked/);
  expect(logged).toEqual([]);
  expect(asked).toEqual([]);
  await client.close();
});

it('moderation is shown what is logged, also where a condition tells the tool that nothing tells of it', async () => {
  const { client, logged, call } = await open('judged');
  await call('test_tool_with_logging');
  expect(logged).toEqual(['Tool processing data', 'Tool execution completed']);
  expect(moderated.some((input) => input.includes('Tool execution started'))).toBe(true);
  await client.close();
});
