import { describe, expect, it, vi } from 'vitest';
import type { KnownServer } from '../../../gateway/registry/entry.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import { tick, useWorld } from './supervisor-world.ts';
import { tool } from './support.ts';

const world = useWorld();

describe('a server on demand', () => {
  const known: KnownServer = {
    serverInfo: { name: 's', version: '1' },
    protocolVersion: '2025-11-25',
    declared: {},
    listedAt: 1,
    capabilities: { tools: [tool('a')], resources: [], templates: [], prompts: [] },
  };

  it('that is known is at rest, listed, until a call needs it', async () => {
    world().supervised({ onDemand: true, known });
    await world().supervisor.start();
    expect(world().supervisor.status.state).toBe('stopped');
    expect(world().names()).toEqual(['a']);
    expect(world().attempts).toHaveLength(0);
    const connected = world().supervisor.connected();
    await tick();
    world().last().succeed();
    await expect(Promise.resolve(connected)).resolves.toBeDefined();
    expect(world().supervisor.status.state).toBe('ready');
  });

  it('is shown anew when its resources of an earlier run were searched, but for what was listed meanwhile', async () => {
    const searches: (() => void)[] = [];
    const search = (): Promise<void> => new Promise((done) => searches.push(done));
    world().supervised({ onDemand: true, known, search });
    await world().supervisor.start();
    const before = world().changes.length;
    searches[0]?.();
    await tick();
    expect(world().supervisor.capabilities).toEqual(known.capabilities);
    expect(world().supervisor.capabilities).not.toBe(known.capabilities);
    expect(world().changes).toHaveLength(before + 1);

    world().supervised({ onDemand: true, known, search });
    world().tools = [tool('b')];
    const connected = world().supervisor.connected();
    await tick();
    world().last().succeed();
    await connected;
    searches[1]?.();
    await tick();
    expect(world().names()).toEqual(['b']);
  });

  it('of which nothing is known is started to be listed', async () => {
    world().supervised({ onDemand: true });
    await world().ready();
    expect(world().names()).toEqual(['a']);
  });

  it('stops when nobody uses it, stays listed, and is started again by the next call', async () => {
    world().supervised({ idleStopMs: 10_000 });
    await world().ready();
    await tick(6_000);
    await (
      await world().supervisor.connected()
    ).request('tools/call', {}, { signal: new AbortController().signal });
    await tick(6_000);
    expect(world().supervisor.status.state).toBe('ready');
    await tick(5_000);
    expect(world().supervisor.status).toMatchObject({ state: 'stopped' });
    expect(world().supervisor.status.lastError).toBeUndefined();
    expect(world().last().closed).toBe(true);
    expect(world().names()).toEqual(['a']);
    world().last().events.onLost('closed');
    await tick(60_000);
    expect(world().attempts).toHaveLength(1);
    const again = world().supervisor.connected();
    await tick();
    world().last().succeed();
    await again;
    expect(world().supervisor.status.state).toBe('ready');
  });

  it('does not stop while something is under way, however long it takes', async () => {
    world().supervised({ idleStopMs: 10_000 });
    void world().supervisor.start();
    await tick();
    let done: (() => void) | undefined;
    let listed = false;
    world()
      .last()
      .succeed(() => {
        if (listed) return new Promise((resolve) => (done = () => resolve({})));
        listed = true;
        return Promise.resolve({ tools: world().tools });
      });
    await tick();
    const call = (await world().supervisor.connected()).request(
      'tools/call',
      {},
      { signal: new AbortController().signal },
    );
    await tick(60_000);
    expect(world().supervisor.status.state).toBe('ready');
    done?.();
    await call;
    await tick(10_001);
    expect(world().supervisor.status.state).toBe('stopped');
  });
});

describe('a budget of restarts', () => {
  it('once spent leaves the server failed, says so, and starts over when someone asks', async () => {
    world().supervised({ restarts: { most: 2, withinMs: 600_000 } });
    void world().supervisor.start();
    for (let failures = 0; failures < 3; failures++) {
      await tick();
      world().last().fail('no licence');
      await tick();
      await vi.runOnlyPendingTimersAsync();
    }
    expect(world().attempts).toHaveLength(3);
    expect(world().supervisor.status.lastError).toBe(
      'no licence; given up after 2 restarts within 10 minutes, until it is called or refreshed',
    );
    await tick(300_000);
    expect(world().attempts).toHaveLength(3);
    const called = Promise.resolve(world().supervisor.connected());
    await tick();
    expect(world().attempts).toHaveLength(4);
    world().last().succeed();
    await called;
    expect(world().supervisor.status.state).toBe('ready');
  });
});

describe('a server that cannot be listed whole', () => {
  it('is listed again by itself, ever less often, until it can', async () => {
    let lists = 0;
    void world().supervisor.start();
    await tick();
    world()
      .last()
      .succeed(() =>
        ++lists < 4
          ? Promise.reject(new UnavailableError('busy'))
          : Promise.resolve({ tools: world().tools }),
      );
    await tick();
    for (const pause of [5_000, 10_000, 20_000]) {
      expect(world().supervisor.status.state).toBe('degraded');
      const before = lists;
      await tick(pause - 1);
      expect(lists).toBe(before);
      await tick(1);
      expect(lists).toBe(before + 1);
    }
    expect(world().supervisor.status).toMatchObject({ state: 'ready' });
    await tick(600_000);
    expect(lists).toBe(4);
  });
});
