import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Listed } from '../../../gateway/registry/entry.ts';
import type { Connection, ConnectionEvents } from '../../../gateway/upstream/connection.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import { Supervisor } from '../../../gateway/upstream/supervisor.ts';
import { tool } from './support.ts';

/** One attempt to connect, to be decided by the test. */
interface Attempt {
  readonly events: ConnectionEvents;
  readonly signal: AbortSignal;
  readonly at: number;
  succeed(list?: () => Promise<JsonObject>): void;
  fail(reason: string): void;
  closed: boolean;
}

let attempts: Attempt[];
let changes: string[];
let supervisor: Supervisor;
let tools: Listed[];

beforeEach(() => {
  vi.useFakeTimers();
  // Each pause is as long as its rule says, without the random part.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  attempts = [];
  changes = [];
  tools = [tool('a')];
  supervisor = new Supervisor({
    connect: (events, signal) =>
      new Promise<Connection>((resolve, reject) => {
        const attempt: Attempt = {
          events,
          signal,
          at: Date.now(),
          closed: false,
          succeed: (list = () => Promise.resolve({ tools })) => resolve(connectionOf(attempt, list)),
          fail: (reason) => reject(new UnavailableError(reason)),
        };
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        attempts.push(attempt);
      }),
    connectTimeoutMs: 200,
    log: pino({ level: 'silent' }),
    onChange: () => changes.push(supervisor.status.state),
    record: () => Promise.resolve(),
  });
});
afterEach(async () => {
  await supervisor.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function connectionOf(attempt: Attempt, list: () => Promise<JsonObject>): Connection {
  return {
    era: 'legacy',
    handshake: {
      protocolVersion: '2025-11-25',
      serverInfo: { name: 's', version: String(attempts.length) },
      capabilities: { tools: {} },
    },
    request: (_method, _params, { signal }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        list().then(resolve, reject);
      }),
    notify: () => Promise.resolve(),
    close: () => {
      attempt.closed = true;
      return Promise.resolve();
    },
  };
}

const tick = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const last = (): Attempt => attempts.at(-1)!;
const names = (): string[] => supervisor.capabilities.tools.map(({ name }) => name);

/** Starts, and lets the first attempt succeed. */
async function ready(): Promise<void> {
  void supervisor.start();
  await tick();
  last().succeed();
  await tick();
  expect(supervisor.status.state).toBe('ready');
}

describe('a server', () => {
  it('goes from configured over starting to ready, with what it offers', async () => {
    expect(supervisor.status.state).toBe('configured');
    await ready();
    expect(changes).toEqual(['starting', 'ready']);
    expect(names()).toEqual(['a']);
    expect(supervisor.status).toMatchObject({ protocolVersion: '2025-11-25', serverInfo: { name: 's' } });
  });

  it('is started once for all who wait for it', async () => {
    const waiting = Array.from({ length: 3 }, async () => supervisor.connected());
    await tick();
    last().succeed();
    const connections = await Promise.all(waiting);
    expect(new Set(connections).size).toBe(1);
    expect(attempts).toHaveLength(1);
    expect(await supervisor.connected()).toBe(connections[0]);
  });

  it('that does not answer in time has failed, and says after how long', async () => {
    // The platform's own timeouts do not follow a test's clock.
    vi.useRealTimers();
    await supervisor.start();
    expect(supervisor.status).toMatchObject({
      state: 'failed',
      lastError: 'did not answer within 0.2 s of its start',
    });
    expect(last().signal.aborted).toBe(true);
  });

  it('that cannot be listed whole is degraded, with the reason, and can be called', async () => {
    void supervisor.start();
    await tick();
    last().succeed(() => Promise.reject(new UnavailableError('no memory')));
    await tick();
    expect(supervisor.status).toMatchObject({ state: 'degraded', lastError: 'tools/list failed: no memory' });
    await expect(Promise.resolve(supervisor.connected())).resolves.toBeDefined();
  });

  it('shows the newest lines of its standard error, and no more than 20', async () => {
    await ready();
    const seen = supervisor.status.stderrTail;
    for (let line = 1; line <= 25; line++) last().events.onStderr(`line ${line}`);
    expect(seen).toHaveLength(20);
    expect(seen.at(0)).toBe('line 6');
    expect(seen.at(-1)).toBe('line 25');
    expect(changes).toEqual(['starting', 'ready']);
  });
});

describe('a server that is lost', () => {
  it('has failed with the reason, keeps what it listed, and heals by itself', async () => {
    await ready();
    last().events.onLost('the process exited with code 1');
    expect(supervisor.status).toMatchObject({ state: 'failed', lastError: 'the process exited with code 1' });
    expect(names()).toEqual(['a']);
    tools = [tool('b')];
    await tick(1_000);
    expect(attempts).toHaveLength(2);
    last().succeed();
    await tick();
    expect(supervisor.status.state).toBe('ready');
    expect(supervisor.status.lastError).toBeUndefined();
    expect(names()).toEqual(['b']);
  });

  it('is tried again after 1 s, then after twice as long each time, at most every minute', async () => {
    void supervisor.start();
    for (let failures = 0; failures < 10; failures++) {
      await tick();
      last().fail('refused');
      await tick();
      await vi.runOnlyPendingTimersAsync();
    }
    const pauses = attempts.slice(1).map(({ at }, index) => at - attempts[index]!.at);
    expect(pauses.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('counts one failure where its process ends during the start', async () => {
    void supervisor.start();
    for (const pause of [1_000, 2_000]) {
      await tick();
      const failed = attempts.length;
      last().events.onLost('the process exited');
      last().fail('the process exited');
      await tick(pause - 1);
      expect(attempts).toHaveLength(failed);
      await tick(1);
      expect(attempts).toHaveLength(failed + 1);
    }
  });

  it('again soon after each start is started ever less often', async () => {
    void supervisor.start();
    for (let crashes = 0; crashes < 5; crashes++) {
      await tick();
      last().succeed();
      await tick(10);
      last().events.onLost('crashed');
      await vi.runOnlyPendingTimersAsync();
    }
    const pauses = attempts.slice(1).map(({ at }, index) => at - attempts[index]!.at - 10);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
  });

  it('after it ran steadily is started again at once', async () => {
    await ready();
    last().events.onLost('crashed');
    await tick(1_000);
    last().succeed();
    await tick(60_001);
    last().events.onLost('crashed again');
    await tick(1_000);
    expect(attempts).toHaveLength(3);
  });

  it('between its handshake and its listing is not taken for connected', async () => {
    void supervisor.start();
    await tick();
    const { events, succeed } = last();
    events.onLost('gone at once');
    succeed();
    await tick();
    expect(supervisor.status).toMatchObject({ state: 'failed', lastError: 'gone at once' });
  });

  it('is not failed by the late word of a connection before', async () => {
    await ready();
    const first = last();
    first.events.onLost('crashed');
    await tick(1_000);
    last().succeed();
    await tick();
    first.events.onLost('crashed, said twice');
    expect(supervisor.status.state).toBe('ready');
  });
});

describe('calls while a server is away', () => {
  it('start it at most once a second, and say why not', async () => {
    await ready();
    last().events.onLost('crashed');
    const failure = expect(supervisor.connected()).rejects.toThrow('crashed');
    await failure;
    expect(attempts).toHaveLength(1);
    await tick(1_000);
    expect(attempts).toHaveLength(2);
    last().fail('still away');
    await tick();
    for (let calls = 0; calls < 50; calls++) {
      await expect(supervisor.connected()).rejects.toThrow('still away');
    }
    expect(attempts).toHaveLength(2);
  });

  it('start it sooner than the pause when that is long', async () => {
    void supervisor.start();
    for (const _ of Array.from({ length: 6 })) {
      await tick();
      last().fail('refused');
      await tick();
      await vi.runOnlyPendingTimersAsync();
    }
    last().fail('refused');
    await tick(1_500);
    const before = attempts.length;
    void Promise.resolve(supervisor.connected()).catch(() => undefined);
    expect(attempts).toHaveLength(before + 1);
  });
});

describe('P184 what a server offers', () => {
  it('is listed again when it says that it changed, once for a burst', async () => {
    await ready();
    let lists = 0;
    const list = (): Promise<JsonObject> => Promise.resolve({ tools: [tool(`t${++lists}`)] });
    last().events.onLost('restart');
    await tick(1_000);
    last().succeed(list);
    await tick();
    expect(names()).toEqual(['t1']);
    for (const what of ['tools', 'resources', 'prompts']) {
      last().events.onNotification(`notifications/${what}/list_changed`, {});
    }
    last().events.onNotification('notifications/message', {});
    await tick(100);
    expect(names()).toEqual(['t2']);
    last().events.onRenewed();
    await tick(100);
    expect(names()).toEqual(['t3']);
  });

  it('is the newest listing, also when an older one answers late', async () => {
    const answers: ((tools: Listed[]) => void)[] = [];
    void supervisor.start();
    await tick();
    last().succeed(() => new Promise((resolve) => answers.push((tools) => resolve({ tools }))));
    await tick();
    answers[0]!([tool('first')]);
    await tick();
    for (let change = 0; change < 2; change++) {
      last().events.onNotification('notifications/tools/list_changed', {});
      await tick(60);
    }
    answers[1]!([tool('second')]);
    await tick();
    answers[2]!([tool('third')]);
    await tick();
    expect(names()).toEqual(['third']);
  });

  it('stays what it was when a new listing fails', async () => {
    let broken = false;
    void supervisor.start();
    await tick();
    last().succeed(() =>
      broken ? Promise.reject(new UnavailableError('busy')) : Promise.resolve({ tools }),
    );
    await tick();
    broken = true;
    await supervisor.refresh();
    expect(supervisor.status.state).toBe('degraded');
    expect(names()).toEqual(['a']);
    broken = false;
    await supervisor.refresh();
    expect(supervisor.status).toMatchObject({ state: 'ready' });
    expect(supervisor.status.lastError).toBeUndefined();
  });
});

describe('stopping', () => {
  it('closes the connection, and nothing starts it again', async () => {
    await ready();
    const { events } = last();
    await supervisor.stop();
    expect(last().closed).toBe(true);
    expect(supervisor.status.state).toBe('stopped');
    events.onLost('closed');
    await expect(supervisor.connected()).rejects.toThrow(UnavailableError);
    await supervisor.refresh();
    await tick(120_000);
    await expect(supervisor.connected()).rejects.toThrow('stopping');
    expect(attempts).toHaveLength(1);
    expect(supervisor.status.state).toBe('stopped');
  });

  it('during a start ends the attempt', async () => {
    const started = supervisor.start();
    await tick();
    await supervisor.stop();
    await started;
    expect(last().signal.aborted).toBe(true);
    expect(supervisor.status.state).toBe('stopped');
  });

  it('during a listing that never ends does not wait for it', async () => {
    void supervisor.start();
    await tick();
    last().succeed(() => new Promise(() => undefined));
    await tick();
    const stopped = supervisor.stop();
    await tick(100);
    await stopped;
    expect(last().closed).toBe(true);
    expect(supervisor.status.state).toBe('stopped');
  });

  it('during a pause ends the pause', async () => {
    void supervisor.start();
    await tick();
    last().fail('refused');
    await tick();
    await supervisor.stop();
    await tick(120_000);
    expect(attempts).toHaveLength(1);
  });
});
