import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { toolgate } from '../support/cli.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask, connectModern, send, type Caller, type Message, type Sending } from '../support/modern.ts';

const URI = 'test://watched-resource';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

let fixture: RunningFixture;
let gateway: RunningGateway;

const start = (): Promise<RunningGateway> =>
  startGateway({
    config: configOf({
      common: [
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
        `{ name: stdio, command: node, args: ["${FIXTURE}"], protocol: legacy }`,
        `{ name: modern, url: "${fixture.url}", allowPrivateAddress: true, protocol: modern }`,
      ],
      lone: [`{ name: stdio, command: node, args: ["${FIXTURE}"], protocol: legacy }`],
    }),
  });

beforeAll(async () => {
  fixture = await startFixture();
  gateway = await start();
  await ask(gateway, '/mcp', 'tools/list');
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

interface Listening {
  readonly messages: Message[];
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  /** Resolves with the first message that fits, whenever it comes. */
  next(method: string): Promise<Message>;
  close(): void;
}

async function listen(
  caller: Caller,
  path: string,
  notifications: object,
  sending: Sending = {},
): Promise<Listening> {
  const closing = new AbortController();
  const params = { notifications };
  const options = { ...sending, signal: closing.signal };
  const answer = await send(caller, path, 'subscriptions/listen', params, options);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  expect(answer.headers.get('x-accel-buffering')).toBe('no');
  const messages: Message[] = [];
  const read = async (): Promise<void> => {
    let rest = '';
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        if (line.startsWith('data: ')) messages.push(JSON.parse(line.slice('data: '.length)) as Message);
    }
  };
  const listening: Listening = {
    messages,
    ended: read().catch(() => undefined),
    next: async (method) => {
      const found = (): Message | undefined => messages.find((message) => message['method'] === method);
      await expect.poll(found, { timeout: 20_000 }).toBeDefined();
      return found()!;
    },
    close: () => closing.abort(),
  };
  await listening.next('notifications/subscriptions/acknowledged');
  return listening;
}

const where = (): string[] => ['--config', gateway.configFile, '--data', gateway.dataDir];

async function tokenOf(name: string): Promise<{ readonly id: string; readonly caller: Caller }> {
  const { stdout } = await toolgate(['token', 'create', ...where(), '--name', name, '--json']);
  const { id, token } = JSON.parse(stdout) as { id: string; token: string };
  return { id, caller: { address: gateway.address, token } };
}

const trigger = (path: string, name: string, args = {}, sending: Sending = {}): Promise<Message> =>
  ask(gateway, path, 'tools/call', { name, arguments: args }, sending);

describe.each(['http', 'stdio', 'modern'])('listening to the server %s', (server) => {
  const path = `/mcp/common/${server}`;

  it('is acknowledged first, and brings what was asked for and nothing else', async () => {
    const both = { toolsListChanged: true, resourceSubscriptions: [URI, 'test://static-text'] };
    const listening = await listen(gateway, path, both, { id: 'mine' });
    expect(listening.messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: both, _meta: { [SUBSCRIPTION]: 'mine' } },
    });
    await trigger(path, 'test_update_resource', { uri: 'test://elsewhere' });
    await trigger(path, 'test_update_resource', { uri: URI });
    expect(await listening.next('notifications/resources/updated')).toMatchObject({
      params: { uri: URI, _meta: { [SUBSCRIPTION]: 'mine' } },
    });
    const methods = listening.messages.map(({ method }) => method);
    expect(methods.filter((method) => method === 'notifications/resources/updated')).toHaveLength(1);
    listening.close();
    await listening.ended;
  });

  it('works with a real client, whose filters are kept apart', async () => {
    const client = await connectModern(gateway, path);
    const updates: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      updates.push(params.uri);
    });
    const subscription = await client.listen({ resourceSubscriptions: [URI] });
    const others = await listen(gateway, path, { promptsListChanged: true });
    await client.callTool({ name: 'test_update_resource', arguments: { uri: URI } });
    await expect.poll(() => updates, { timeout: 20_000 }).toEqual([URI]);
    expect(others.messages).toHaveLength(1);
    await subscription.close();
    others.close();
    await client.close();
  });
});

it('what a server lists is announced when it has changed, to those who can be asked as well', async () => {
  const config = '/mcp/common';
  const plain = await listen(gateway, config, { toolsListChanged: true, promptsListChanged: true });
  expect(plain.messages[0]).toMatchObject({
    params: { notifications: { toolsListChanged: true, promptsListChanged: true } },
  });
  const path = '/mcp/common/stdio';
  const sending = { capabilities: { elicitation: {} } };
  await ask(gateway, path, 'tools/list', {}, sending);
  const own = await listen(gateway, path, { toolsListChanged: true }, sending);
  await trigger(path, 'test_trigger_tool_change', {}, sending);
  await own.next('notifications/tools/list_changed');
  own.close();
  plain.close();
});

it('resources of several servers are followed at one address; what nobody has is not acknowledged', async () => {
  const listening = await listen(gateway, '/mcp/lone', { resourceSubscriptions: [URI, 'nowhere://1'] });
  expect(listening.messages[0]).toMatchObject({
    params: { notifications: { resourceSubscriptions: [URI] } },
  });
  listening.close();
});

it('a subscription to nothing ends at once, with its result', async () => {
  const listening = await listen(gateway, '/mcp/lone', { resourceSubscriptions: ['nowhere://1'] }, { id: 7 });
  await listening.ended;
  expect(listening.messages.at(-1)).toMatchObject({
    id: 7,
    result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 7 } },
  });
});

it('a caller listens on 16 streams at most', async () => {
  const { caller } = await tokenOf('many');
  const many: Listening[] = [];
  for (let count = 0; count < 16; count++)
    many.push(await listen(caller, '/mcp/common/http', { toolsListChanged: true }));
  const params = { notifications: { toolsListChanged: true } };
  const answer = await ask(caller, '/mcp/common/http', 'subscriptions/listen', params);
  expect(answer).toMatchObject({ status: 429, error: { code: -32000 } });
  for (const one of many) one.close();
  await Promise.all(many.map(({ ended }) => ended));
});

it('listening ends when the token is revoked', async () => {
  const { caller, id } = await tokenOf('brief');
  const listening = await listen(caller, '/mcp/common/http', { toolsListChanged: true });
  await toolgate(['token', 'revoke', id, ...where()]);
  await listening.ended;
  expect(listening.messages.at(-1)).toHaveProperty('result');
});

it('listening ends with its result when the gateway stops', async () => {
  const another = await start();
  const listening = await listen(another, '/mcp/common', { toolsListChanged: true }, { id: 'last' });
  await another.stop();
  await listening.ended;
  expect(listening.messages.at(-1)).toMatchObject({ id: 'last', result: { resultType: 'complete' } });
});
