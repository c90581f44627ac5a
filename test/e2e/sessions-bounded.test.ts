import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask, ENVELOPE } from '../support/modern.ts';

/** P65 What a client says of itself and subscribes to is kept with its session: how much of it there may be is bounded. */
let gateway: RunningGateway;

beforeAll(async () => {
  const file = join(ROOT, 'test/support/loose-server.ts');
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: own
    servers:
      - { name: legacy, command: node, args: ["${file}", legacy] }
`,
  });
});
afterAll(() => gateway.stop());

interface Rpc {
  readonly status: number;
  readonly session: string;
  readonly error?: { readonly message: string };
}

async function post(method: string, params: object, session?: string): Promise<Rpc> {
  const answer = await fetch(`${gateway.address}/mcp/own/legacy`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${gateway.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session !== undefined && { 'mcp-session-id': session }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const text = await answer.text();
  const message = JSON.parse(text.replace(/^[^]*data: /, '')) as Pick<Rpc, 'error'>;
  return { status: answer.status, session: answer.headers.get('mcp-session-id') ?? '', ...message };
}
const initialize = (more: object): Promise<Rpc> =>
  post('initialize', {
    ...{ protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    ...more,
  });
const LONG = 'x'.repeat(33_000);

describe('what a client says of itself', () => {
  it.each([{ clientInfo: { name: LONG, version: '1' } }, { capabilities: { experimental: { of: LONG } } }])(
    'opens no session where it is too long',
    async (more) => {
      const refused = await initialize(more);
      expect(refused).toMatchObject({ status: 413, session: '' });
      expect(refused.error?.message).toContain(`${Object.keys(more)[0]} is longer than the 32768`);
    },
  );

  it('is refused in the modern era as well', async () => {
    const meta = { [ENVELOPE.info]: { name: LONG, version: '1' } };
    const refused = await ask(gateway, '/mcp/own/legacy', 'tools/list', {}, { meta });
    expect(refused).toMatchObject({ status: 413, error: { message: expect.stringContaining('clientInfo') } });
  });
});

describe('subscriptions of a session', () => {
  it('have short addresses', async () => {
    const { session } = await initialize({});
    const { error } = await post('resources/subscribe', { uri: `db://${LONG}` }, session);
    expect(error?.message).toContain('uri is longer than 8192 characters');
    const notifications = { resourceSubscriptions: [`db://${LONG}`] };
    const listening = await ask(gateway, '/mcp/own/legacy', 'subscriptions/listen', { notifications });
    expect(listening.error?.message).toContain('more than 8192 characters');
  });

  it('are a thousand at most', async () => {
    const { session } = await initialize({ capabilities: { elicitation: {} } });
    const subscribe = (uri: string): Promise<Rpc> => post('resources/subscribe', { uri }, session);
    for (let count = 0; count < 1_000; count++)
      expect((await subscribe(`db://${count}`)).error).toBeUndefined();
    expect((await subscribe('db://more')).error?.message).toContain('over 1000 subscriptions');
    expect((await subscribe('db://7')).error).toBeUndefined();
    await post('resources/unsubscribe', { uri: 'db://7' }, session);
    expect((await subscribe('db://more')).error).toBeUndefined();
  });
});
