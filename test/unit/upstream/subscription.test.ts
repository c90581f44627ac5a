import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { JsonRpcError, UnavailableError } from '../../../gateway/upstream/errors.ts';
import { subscribe } from '../../../gateway/upstream/subscription.ts';

interface Opened {
  readonly params: JsonObject;
  say(method: string, params?: JsonObject): void;
  end(): void;
  fail(error: Error): void;
}

let opened: Opened[];
let news: string[];
let stop: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  opened = [];
  news = [];
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const request: Connection['request'] = (_method, params, { related }) =>
  new Promise((resolve, reject) => {
    opened.push({
      params,
      say: (method, said = {}) => related?.onNotification(method, said),
      end: () => resolve({ resultType: 'complete' }),
      fail: reject,
    });
  });
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const tick = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function start(): Promise<void> {
  const subscriber = {
    onNotification: (method: string) => void news.push(method),
    onOpened: (again: boolean) => void news.push(again ? 'open again' : 'open'),
  };
  return subscribe(request, { toolsListChanged: true }, subscriber, stop.signal);
}

describe('a subscription', () => {
  it('says what it wants, that it is open, and what comes', async () => {
    void start();
    expect(opened[0]?.params).toEqual({ notifications: { toolsListChanged: true } });
    opened[0]?.say(ACKNOWLEDGED);
    opened[0]?.say('notifications/tools/list_changed');
    expect(news).toEqual(['open', 'notifications/tools/list_changed']);
    stop.abort();
  });

  it('that ends, gracefully or not, is opened again with growing pauses, and says so', async () => {
    void start();
    opened[0]?.say(ACKNOWLEDGED);
    opened[0]?.end();
    await tick(999);
    expect(opened).toHaveLength(1);
    await tick(1);
    expect(opened).toHaveLength(2);
    opened[1]?.say(ACKNOWLEDGED);
    expect(news).toEqual(['open', 'open again']);
    opened[1]?.fail(new UnavailableError('gone'));
    await tick(1_999);
    expect(opened).toHaveLength(2);
    await tick(1);
    expect(opened).toHaveLength(3);
  });

  it('that lasted has its pauses start over', async () => {
    void start();
    for (let index = 0; index < 3; index++) {
      await tick(31_000);
      opened[index]?.end();
      await tick(1_000);
      expect(opened).toHaveLength(index + 2);
    }
  });

  it('is given up where the server offers none, and when it is not wanted any more', async () => {
    const refused = start();
    opened[0]?.fail(new JsonRpcError(-32601, 'Method not found'));
    await refused;
    const given = start();
    stop.abort();
    opened[1]?.fail(new Error('aborted'));
    await given;
    await tick(60_000);
    expect(opened).toHaveLength(2);
  });
});
