import { describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Listed } from '../../../gateway/registry/entry.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import { tick, useWorld } from './supervisor-world.ts';
import { tool } from './support.ts';

const world = useWorld();

describe('a server', () => {
  it('goes from configured over starting to ready, with what it offers', async () => {
    expect(world().supervisor.status.state).toBe('configured');
    await world().ready();
    expect(world().changes).toEqual(['starting', 'ready']);
    expect(world().names()).toEqual(['a']);
    expect(world().supervisor.status).toMatchObject({
      protocolVersion: '2025-11-25',
      serverInfo: { name: 's' },
    });
  });

  it('is started once for all who wait for it', async () => {
    const waiting = Array.from({ length: 3 }, async () => world().supervisor.connected());
    await tick();
    world().last().succeed();
    const connections = await Promise.all(waiting);
    expect(new Set(connections).size).toBe(1);
    expect(world().attempts).toHaveLength(1);
    expect(await world().supervisor.connected()).toBe(connections[0]);
  });

  it('that does not answer in time has failed, and says after how long', async () => {
    // The platform's own timeouts do not follow a test's clock.
    vi.useRealTimers();
    await world().supervisor.start();
    expect(world().supervisor.status).toMatchObject({
      state: 'failed',
      lastError: 'did not answer within 0.2 s of its start',
    });
    expect(world().last().signal.aborted).toBe(true);
  });

  it('that cannot be listed whole is degraded, with the reason, and can be called', async () => {
    void world().supervisor.start();
    await tick();
    world()
      .last()
      .succeed(() => Promise.reject(new UnavailableError('no memory')));
    await tick();
    expect(world().supervisor.status).toMatchObject({
      state: 'degraded',
      lastError: 'tools/list failed: no memory',
    });
    await expect(Promise.resolve(world().supervisor.connected())).resolves.toBeDefined();
  });

  it('shows the newest lines of its standard error, and no more than 20', async () => {
    await world().ready();
    const seen = world().supervisor.status.stderrTail;
    for (let line = 1; line <= 25; line++) world().last().events.onStderr(`line ${line}`);
    expect(seen).toHaveLength(20);
    expect(seen.at(0)).toBe('line 6');
    expect(seen.at(-1)).toBe('line 25');
    expect(world().changes).toEqual(['starting', 'ready']);
  });
});

describe('a server that is lost', () => {
  it('has failed with the reason, keeps what it listed, and heals by itself', async () => {
    await world().ready();
    world().last().events.onLost('the process exited with code 1');
    expect(world().supervisor.status).toMatchObject({
      state: 'failed',
      lastError: 'the process exited with code 1',
    });
    expect(world().names()).toEqual(['a']);
    world().tools = [tool('b')];
    await tick(1_000);
    expect(world().attempts).toHaveLength(2);
    world().last().succeed();
    await tick();
    expect(world().supervisor.status.state).toBe('ready');
    expect(world().supervisor.status.lastError).toBeUndefined();
    expect(world().names()).toEqual(['b']);
  });

  it('is tried again after 1 s, then after twice as long each time, at most every minute', async () => {
    void world().supervisor.start();
    for (let failures = 0; failures < 10; failures++) {
      await tick();
      world().last().fail('refused');
      await tick();
      await vi.runOnlyPendingTimersAsync();
    }
    const pauses = world()
      .attempts.slice(1)
      .map(({ at }, index) => at - world().attempts[index]!.at);
    expect(pauses.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('counts one failure where its process ends during the start', async () => {
    void world().supervisor.start();
    for (const pause of [1_000, 2_000]) {
      await tick();
      const failed = world().attempts.length;
      world().last().events.onLost('the process exited');
      world().last().fail('the process exited');
      await tick(pause - 1);
      expect(world().attempts).toHaveLength(failed);
      await tick(1);
      expect(world().attempts).toHaveLength(failed + 1);
    }
  });

  it('again soon after each start is started ever less often', async () => {
    void world().supervisor.start();
    for (let crashes = 0; crashes < 5; crashes++) {
      await tick();
      world().last().succeed();
      await tick(10);
      world().last().events.onLost('crashed');
      await vi.runOnlyPendingTimersAsync();
    }
    const pauses = world()
      .attempts.slice(1)
      .map(({ at }, index) => at - world().attempts[index]!.at - 10);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
  });

  it('after it ran steadily is started again at once', async () => {
    await world().ready();
    world().last().events.onLost('crashed');
    await tick(1_000);
    world().last().succeed();
    await tick(60_001);
    world().last().events.onLost('crashed again');
    await tick(1_000);
    expect(world().attempts).toHaveLength(3);
  });

  it('between its handshake and its listing is not taken for connected', async () => {
    void world().supervisor.start();
    await tick();
    const { events, succeed } = world().last();
    events.onLost('gone at once');
    succeed();
    await tick();
    expect(world().supervisor.status).toMatchObject({ state: 'failed', lastError: 'gone at once' });
  });

  it('is not failed by the late word of a connection before', async () => {
    await world().ready();
    const first = world().last();
    first.events.onLost('crashed');
    await tick(1_000);
    world().last().succeed();
    await tick();
    first.events.onLost('crashed, said twice');
    expect(world().supervisor.status.state).toBe('ready');
  });
});

describe('calls while a server is away', () => {
  it('start it at most once a second, and say why not', async () => {
    await world().ready();
    world().last().events.onLost('crashed');
    const failure = expect(world().supervisor.connected()).rejects.toThrow('crashed');
    await failure;
    expect(world().attempts).toHaveLength(1);
    await tick(1_000);
    expect(world().attempts).toHaveLength(2);
    world().last().fail('still away');
    await tick();
    for (let calls = 0; calls < 50; calls++) {
      await expect(world().supervisor.connected()).rejects.toThrow('still away');
    }
    expect(world().attempts).toHaveLength(2);
  });

  it('start it sooner than the pause when that is long', async () => {
    void world().supervisor.start();
    for (const _ of Array.from({ length: 6 })) {
      await tick();
      world().last().fail('refused');
      await tick();
      await vi.runOnlyPendingTimersAsync();
    }
    world().last().fail('refused');
    await tick(1_500);
    const before = world().attempts.length;
    void Promise.resolve(world().supervisor.connected()).catch(() => undefined);
    expect(world().attempts).toHaveLength(before + 1);
  });
});

describe('P184 what a server offers', () => {
  it('is listed again when it says that it changed, once for a burst', async () => {
    await world().ready();
    let lists = 0;
    const list = (): Promise<JsonObject> => Promise.resolve({ tools: [tool(`t${++lists}`)] });
    world().last().events.onLost('restart');
    await tick(1_000);
    world().last().succeed(list);
    await tick();
    expect(world().names()).toEqual(['t1']);
    for (const what of ['tools', 'resources', 'prompts']) {
      world().last().events.onNotification(`notifications/${what}/list_changed`, {});
    }
    world().last().events.onNotification('notifications/message', {});
    await tick(100);
    expect(world().names()).toEqual(['t2']);
    world().last().events.onRenewed();
    await tick(100);
    expect(world().names()).toEqual(['t3']);
  });

  it('is the newest listing, also when an older one answers late', async () => {
    const answers: ((tools: Listed[]) => void)[] = [];
    void world().supervisor.start();
    await tick();
    world()
      .last()
      .succeed(() => new Promise((resolve) => answers.push((listed) => resolve({ tools: listed }))));
    await tick();
    answers[0]!([tool('first')]);
    await tick();
    for (let change = 0; change < 2; change++) {
      world().last().events.onNotification('notifications/world().tools/list_changed', {});
      await tick(60);
    }
    answers[1]!([tool('second')]);
    await tick();
    answers[2]!([tool('third')]);
    await tick();
    expect(world().names()).toEqual(['third']);
  });

  it('stays what it was when a new listing fails', async () => {
    let broken = false;
    void world().supervisor.start();
    await tick();
    world()
      .last()
      .succeed(() =>
        broken ? Promise.reject(new UnavailableError('busy')) : Promise.resolve({ tools: world().tools }),
      );
    await tick();
    broken = true;
    await world().supervisor.refresh();
    expect(world().supervisor.status.state).toBe('degraded');
    expect(world().names()).toEqual(['a']);
    broken = false;
    await world().supervisor.refresh();
    expect(world().supervisor.status).toMatchObject({ state: 'ready' });
    expect(world().supervisor.status.lastError).toBeUndefined();
  });
});

describe('stopping', () => {
  it('closes the connection, and nothing starts it again', async () => {
    await world().ready();
    const { events } = world().last();
    await world().supervisor.stop();
    expect(world().last().closed).toBe(true);
    expect(world().supervisor.status.state).toBe('stopped');
    events.onLost('closed');
    await expect(world().supervisor.connected()).rejects.toThrow(UnavailableError);
    await world().supervisor.refresh();
    await tick(120_000);
    await expect(world().supervisor.connected()).rejects.toThrow('stopping');
    expect(world().attempts).toHaveLength(1);
    expect(world().supervisor.status.state).toBe('stopped');
  });

  it('during a start ends the attempt', async () => {
    const started = world().supervisor.start();
    await tick();
    await world().supervisor.stop();
    await started;
    expect(world().last().signal.aborted).toBe(true);
    expect(world().supervisor.status.state).toBe('stopped');
  });

  it('during a listing that never ends does not wait for it', async () => {
    void world().supervisor.start();
    await tick();
    world()
      .last()
      .succeed(() => new Promise(() => undefined));
    await tick();
    const stopped = world().supervisor.stop();
    await tick(100);
    await stopped;
    expect(world().last().closed).toBe(true);
    expect(world().supervisor.status.state).toBe('stopped');
  });

  it('during a pause ends the pause', async () => {
    void world().supervisor.start();
    await tick();
    world().last().fail('refused');
    await tick();
    await world().supervisor.stop();
    await tick(120_000);
    expect(world().attempts).toHaveLength(1);
  });
});
