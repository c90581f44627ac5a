import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createAsks } from '../../../gateway/mcp/asks.ts';
import { createRelay, sessionRoute, type Reached, type Route } from '../../../gateway/mcp/relay.ts';
import { createStreams } from '../../../gateway/mcp/streams.ts';
import { principalOf } from '../gateway/support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const NEVER = new AbortController().signal;

/** A client that only keeps what it is sent. */
function wire(): { sent: JsonObject[]; send: (message: string) => boolean } {
  const sent: JsonObject[] = [];
  return { sent, send: (message) => sent.push(JSON.parse(message) as JsonObject) > 0 };
}

describe('what a server asks a client', () => {
  it('is sent under an id of its own and resolves with the answer to that id', async () => {
    const asks = createAsks();
    const { sent, send } = wire();
    const first = asks.ask('roots/list', {}, NEVER, send);
    const second = asks.ask('elicitation/create', { message: 'Who?' }, NEVER, send);
    expect(asks.waiting()).toBe(true);
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'roots/list', params: {} },
      { jsonrpc: '2.0', id: 2, method: 'elicitation/create', params: { message: 'Who?' } },
    ]);
    asks.settle({ id: 99, result: { for: 'nobody' } });
    asks.settle({ id: 2, result: { action: 'decline' } });
    asks.settle({ id: 1, error: { code: -32603, message: 'no roots', data: { why: 1 } } });
    await expect(second).resolves.toEqual({ action: 'decline' });
    await expect(first).rejects.toMatchObject({ code: -32603, message: 'no roots', data: { why: 1 } });
    expect(asks.waiting()).toBe(false);
  });

  it('is taken back when the server takes it back', async () => {
    const asks = createAsks();
    const { sent, send } = wire();
    const server = new AbortController();
    const asked = asks.ask('roots/list', {}, server.signal, send);
    server.abort();
    await expect(asked).rejects.toThrow('took the request back');
    expect(sent.at(-1)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } });
    expect(asks.waiting()).toBe(false);
  });

  it('fails in words without an answer, a stream or a session', async () => {
    const asks = createAsks();
    const { send } = wire();
    const late = asks.ask('roots/list', {}, NEVER, send);
    const lateFails = expect(late).rejects.toThrow('did not answer within 10 minutes');
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    await lateFails;
    await expect(asks.ask('roots/list', {}, NEVER, () => false)).rejects.toThrow('holds no stream');
    const open = asks.ask('roots/list', {}, NEVER, send);
    asks.close();
    await expect(open).rejects.toThrow('the session has ended');
  });

  it('is bounded in number', async () => {
    const asks = createAsks();
    const { send } = wire();
    const many = Array.from({ length: 64 }, () => asks.ask('roots/list', {}, NEVER, send));
    await expect(asks.ask('roots/list', {}, NEVER, send)).rejects.toThrow('64 earlier requests');
    asks.close();
    expect((await Promise.allSettled(many)).every(({ status }) => status === 'rejected')).toBe(true);
  });
});

const routeTo = (send: (message: string) => boolean): Route =>
  sessionRoute({ streams: createStreams({ used: 0 }, false), asks: createAsks() }, send);

describe('the relay of a server’s messages', () => {
  const reached = (more: Partial<Reached> = {}): Reached => ({
    principal: principalOf(),
    capabilities: { elicitation: {} },
    route: routeTo(wire().send),
    waiting: () => false,
    permitted: () => true,
    ...more,
  });

  it('refuses what the client did not declare, and all once access has ended', async () => {
    const { sent, send } = wire();
    const route = routeTo(send);
    const open = createRelay(reached(), () => undefined)(route);
    await expect(open.onRequest?.('sampling/createMessage', {}, NEVER)).rejects.toMatchObject({
      code: -32601,
    });
    await expect(open.onRequest?.('shell/run', {}, NEVER)).rejects.toMatchObject({ code: -32601 });
    const shut = createRelay(reached({ permitted: () => false }), () => undefined)(route);
    await expect(shut.onRequest?.('elicitation/create', {}, NEVER)).rejects.toMatchObject({ code: -32000 });
    shut.onNotification('notifications/message', { level: 'info', data: 'secret' });
    expect(sent).toEqual([]);
  });

  it('tells news of lists from news for the client', () => {
    const [delivered, announced] = [wire(), wire()];
    const lists: string[] = [];
    const relay = createRelay(
      reached(),
      (method) => void lists.push(method),
    )({
      ...routeTo(delivered.send),
      announce: routeTo(announced.send).deliver,
    });
    relay.onNotification('notifications/message', { level: 'info', data: 'hello', extra: true });
    relay.onNotification('notifications/resources/updated', { uri: 'test://one' });
    relay.onNotification('notifications/tools/list_changed', {});
    expect(delivered.sent.map(({ params }) => params)).toEqual([
      { level: 'info', data: 'hello', extra: true },
    ]);
    expect(announced.sent.map(({ params }) => params)).toEqual([{ uri: 'test://one' }]);
    expect(lists).toEqual(['notifications/tools/list_changed']);
  });
});
