import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ENVELOPE, messagesOf, send } from '../support/modern.ts';

/** P144 P182 What a server says beside results, and what it is answered, passes the guardrails of its tools too. */
let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  fixture = await startFixture();
  const url = `url: "${fixture.url}", allowPrivateAddress: true`;
  gateway = await startGateway({
    config: `${configOf({ common: [`{ name: legacy, ${url}, protocol: legacy }`, `{ name: modern, ${url} }`] })}
policies:
  guardrails:
    - { name: said, kind: regex, hooks: [toolResult], operation: mutate, patterns: [{ pattern: "processing data", replace: "[work]" }, { pattern: "Who", replace: "[who]" }] }
    - { name: unsaid, kind: regex, when: { tools: [test_elicitation, test_tool_with_logging] }, hooks: [toolResult], patterns: [{ pattern: "execution started" }, { pattern: "your password" }] }
    - { name: answered, kind: regex, hooks: [toolArguments], operation: mutate, patterns: [{ pattern: "ada@example.com", replace: "somebody@example.com" }] }
    - { name: unanswered, kind: regex, hooks: [toolArguments], patterns: [{ pattern: "swordfish" }] }
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

/** A client whose person answers with this name; tells what it was asked and what it was logged. */
async function open(server: string, username: string) {
  const client = new Client({ name: 'person', version: '1' }, { capabilities: { elicitation: {} } });
  const asked: string[] = [];
  const logged: unknown[] = [];
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(params.message);
    return { action: 'accept', content: { username, email: 'ada@example.com' } };
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
  return { client, asked, logged, call };
}

describe.each(['legacy', 'modern'])('a %s server', (server) => {
  it('asks in words that passed, and is answered in words that passed', async () => {
    const { client, asked, call } = await open(server, 'ada');
    expect(await call('test_elicitation', { message: 'Who?' })).toContain('"email":"somebody@example.com"');
    expect(asked).toEqual(['[who]?']);
    await client.close();
  });

  it('is not answered at all where an answer is refused', async () => {
    const { client, asked, call } = await open(server, 'swordfish');
    expect(await call('test_elicitation', { message: 'Why?' })).toContain('did not pass');
    expect(asked).toEqual(['Why?']);
    await client.close();
  });

  it('does not get to ask what is refused', async () => {
    const { client, asked, call } = await open(server, 'ada');
    expect(await call('test_elicitation', { message: 'What is your password?' })).toContain('did not pass');
    expect(asked).toEqual([]);
    await client.close();
  });

  it('logs what passed, and nothing that is refused', async () => {
    const { client, logged, call } = await open(server, 'ada');
    expect(await call('test_tool_with_logging')).toBe('Tool with logging executed successfully');
    expect(logged).toEqual(['Tool [work]', 'Tool execution completed']);
    await client.close();
  });

  it('logs so to a client of the modern era too', async () => {
    const params = { name: 'test_tool_with_logging', arguments: {} };
    const meta = { [ENVELOPE.logLevel]: 'info' };
    const answer = await send(gateway, `/mcp/common/${server}`, 'tools/call', params, { meta });
    const logged = (await messagesOf(answer)).flatMap(({ method, params: said }) =>
      method === 'notifications/message' ? [(said as { data: unknown }).data] : [],
    );
    expect(logged).toEqual(['Tool [work]', 'Tool execution completed']);
  });
});
