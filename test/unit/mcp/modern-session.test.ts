import { beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createModernSessions, type ModernSession } from '../../../gateway/mcp/modern-session.ts';
import type { Route } from '../../../gateway/mcp/relay.ts';
import type { Requests } from '../../../gateway/pipeline/call.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { JsonRpcError } from '../../../gateway/upstream/errors.ts';
import type { Upstreams } from '../../../gateway/upstream/upstreams.ts';
import { catalogOf, configOf } from '../gateway/support.ts';

const NOWHERE: Route = {
  deliver: () => undefined,
  announce: () => undefined,
  ask: () => Promise.reject(new Error('nobody')),
};
const UPDATED = 'notifications/resources/updated';

interface Listening {
  readonly uris: unknown;
  readonly signal: AbortSignal;
  say(method: string, params?: JsonObject): void;
}

let listens: Listening[];
/** Whether a `subscriptions/listen` is acknowledged, refused, or left waiting. */
let mood: 'acknowledge' | 'refuse' | 'wait';
let upstreams: Upstreams;

beforeEach(() => {
  listens = [];
  mood = 'acknowledge';
  const request: Connection['request'] = (method, params, { signal, related }) => {
    if (method !== 'subscriptions/listen') return Promise.resolve({ asked: method });
    return new Promise((_resolve, reject) => {
      const { resourceSubscriptions: uris } = params['notifications'] as JsonObject;
      const say = (name: string, said: JsonObject = {}): void => related?.onNotification(name, said);
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      if (mood === 'refuse') reject(new JsonRpcError(-32601, 'Method not found'));
      else listens.push({ uris, signal, say });
      if (mood === 'acknowledge') say('notifications/subscriptions/acknowledged');
    });
  };
  const connection = { request } as Connection;
  const { upstreams: known } = catalogOf(configOf({ g: { s: '' } }), {});
  upstreams = { ...known, connected: () => connection };
});

async function ask(
  session: ModernSession,
  method: string,
  params: JsonObject,
  signal = new AbortController().signal,
): Promise<JsonObject> {
  const requests: Requests = await session.during(NOWHERE).ready();
  return requests.request(method, params, { signal });
}
const subscribe = (session: ModernSession, uri: string, signal?: AbortSignal): Promise<JsonObject> =>
  ask(session, 'resources/subscribe', { uri }, signal);
const open = (): Listening[] => listens.filter(({ signal }) => !signal.aborted);

describe('a session’s subscriptions at a modern server', () => {
  it('are one that follows them, and what changes is announced', async () => {
    const announced: unknown[] = [];
    const session = createModernSessions(upstreams)('g:s', (method, params) =>
      announced.push([method, params?.['uri']]),
    );
    await subscribe(session, 'a:1');
    await subscribe(session, 'a:2');
    await subscribe(session, 'a:2');
    expect(open().map(({ uris }) => uris)).toEqual([['a:1', 'a:2']]);
    open()[0]?.say(UPDATED, { uri: 'a:2' });
    open()[0]?.say('notifications/tools/list_changed');
    expect(announced).toEqual([[UPDATED, 'a:2']]);
    await ask(session, 'resources/unsubscribe', { uri: 'a:1' });
    expect(open().map(({ uris }) => uris)).toEqual([['a:2']]);
    await ask(session, 'resources/unsubscribe', { uri: 'a:2' });
    expect(open()).toEqual([]);
    await subscribe(session, 'a:3');
    session.close();
    expect(open()).toEqual([]);
  });

  it('that the server does not take are none, and leave what there was', async () => {
    const session = createModernSessions(upstreams)('g:s', NOWHERE.announce);
    await subscribe(session, 'a:1');
    mood = 'refuse';
    await expect(subscribe(session, 'a:2')).rejects.toThrow('offers no subscriptions');
    expect(open().map(({ uris }) => uris)).toEqual([['a:1']]);
    mood = 'wait';
    const enough = new AbortController();
    const waiting = subscribe(session, 'a:3', enough.signal);
    await expect.poll(open).toHaveLength(2);
    enough.abort();
    await expect(waiting).rejects.toThrow('given up');
    expect(open().map(({ uris }) => uris)).toEqual([['a:1']]);
    mood = 'acknowledge';
    await subscribe(session, 'a:4');
    expect(open().map(({ uris }) => uris)).toEqual([['a:1', 'a:4']]);
    session.close();
    expect(open()).toEqual([]);
  });

  it('are bounded in number for all sessions of a server', async () => {
    const sessions = createModernSessions(upstreams);
    const many = Array.from({ length: 128 }, () => sessions('g:s', NOWHERE.announce));
    await Promise.all(many.map((session) => subscribe(session, 'a:1')));
    const late = sessions('g:s', NOWHERE.announce);
    await expect(subscribe(late, 'a:1')).rejects.toThrow('128 clients listen to this server');
    many[0]?.close();
    await expect.poll(() => subscribe(late, 'a:1')).toEqual({});
    for (const session of [...many, late]) session.close();
  });
});

it('a session’s log level is its own affair, and info unless it says otherwise', async () => {
  const session = createModernSessions(upstreams)('g:s', NOWHERE.announce);
  expect(session.logLevel()).toBe('info');
  expect(await ask(session, 'logging/setLevel', { level: 'error' })).toEqual({});
  expect(session.logLevel()).toBe('error');
  await expect(ask(session, 'logging/setLevel', { level: 'loud' })).rejects.toThrow('unknown log level');
  expect(await ask(session, 'tools/call', {})).toEqual({ asked: 'tools/call' });
});
