import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';

let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  fixture = await startFixture();
  gateway = await startGateway({
    config: configOf({
      common: [
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
        `{ name: stdio, command: node, args: ["${FIXTURE}"], protocol: legacy }`,
      ],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
});

/** A client that reads the wire itself. */
interface Wire {
  readonly sessionId: string;
  post(message: object, signal?: AbortSignal): Promise<Response>;
  get(headers?: Record<string, string>): Promise<Response>;
}

async function open(path: string, protocolVersion = '2025-11-25'): Promise<Wire> {
  const url = gateway.address + path;
  let sessionId = '';
  const headers = (): Record<string, string> => ({
    authorization: `Bearer ${gateway.token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(sessionId !== '' && { 'mcp-session-id': sessionId, 'mcp-protocol-version': protocolVersion }),
  });
  const post: Wire['post'] = (message, signal) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    return fetch(url, { method: 'POST', headers: headers(), body, signal: signal ?? null });
  };
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'wire', version: '1' } };
  const response = await post({ id: 0, method: 'initialize', params });
  sessionId = response.headers.get('mcp-session-id') ?? '';
  await post({ method: 'notifications/initialized' });
  return {
    sessionId,
    post,
    get: (more = {}) => fetch(url, { headers: { ...headers(), accept: 'text/event-stream', ...more } }),
  };
}

async function* events(response: Response): AsyncGenerator<EventSourceMessage> {
  const pending: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => pending.push(event) });
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* pending.splice(0);
  }
}

async function all(response: Response): Promise<EventSourceMessage[]> {
  const list: EventSourceMessage[] = [];
  for await (const event of events(response)) list.push(event);
  return list;
}

const PROGRESS = {
  id: 7,
  method: 'tools/call',
  params: { name: 'test_tool_with_progress', arguments: {}, _meta: { progressToken: 'mine' } },
};
const progressOf = (list: readonly EventSourceMessage[]): unknown[] =>
  list
    .filter(({ data }) => data.includes('progressToken'))
    .map(({ data }) => (JSON.parse(data) as { params: { progress: number } }).params.progress);

describe.each(['http', 'stdio'])('event streams of a server over %s', (server) => {
  const path = `/mcp/common/${server}`;

  it('begin with an empty event that bears an id, and end with the answer', async () => {
    const wire = await open(path);
    const list = await all(await wire.post(PROGRESS));
    expect(list[0]).toMatchObject({ data: '' });
    expect(list[0]?.id).toMatch(/^\d+-0$/);
    expect(progressOf(list)).toEqual([0, 50, 100]);
    expect(JSON.parse(list.at(-1)?.data ?? '{}')).toMatchObject({ id: 7, result: { content: [{}] } });
  });

  it('do not begin so for clients of older revisions, which do not expect it', async () => {
    const wire = await open(path, '2025-06-18');
    const list = await all(await wire.post(PROGRESS));
    expect(list.every(({ data }) => data !== '')).toBe(true);
    expect(list).toHaveLength(4);
  });

  it('are resumed after a break where they were, with the answer, and nothing twice', async () => {
    const wire = await open(path);
    const broken = new AbortController();
    let last: string | undefined;
    for await (const event of events(await wire.post(PROGRESS, broken.signal))) {
      last = event.id;
      if (event.data !== '') break;
    }
    broken.abort();
    const rest = await all(await wire.get({ 'last-event-id': last ?? '' }));
    expect(progressOf(rest)).toEqual([50, 100]);
    expect(JSON.parse(rest.at(-1)?.data ?? '{}')).toMatchObject({ id: 7, result: {} });
    const again = await all(await wire.get({ 'last-event-id': rest.at(-2)?.id ?? '' }));
    expect(again.map(({ data }) => data)).toEqual([rest.at(-1)?.data]);
  });

  it('of another session cannot be resumed', async () => {
    const [one, other] = await Promise.all([open(path), open(path)]);
    const list = await all(await one.post(PROGRESS));
    const response = await other.get({ 'last-event-id': list.at(-2)?.id ?? '' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('Last-Event-ID');
  });
});

it('resumes a server’s own stream when the server closes it before its answer', async () => {
  const wire = await open('/mcp/common/http');
  const call = { id: 1, method: 'tools/call', params: { name: 'test_reconnection', arguments: {} } };
  const response = await wire.post(call);
  expect(await response.json()).toMatchObject({
    result: { content: [{ text: 'Reconnection test completed successfully' }] },
  });
});
