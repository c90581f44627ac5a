import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Connection, Era } from '../../../gateway/upstream/connection.ts';
import { Supervisor } from '../../../gateway/upstream/supervisor.ts';

let listed = 0;
let supervisor: Supervisor | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  listed = 0;
});
afterEach(async () => {
  await supervisor?.stop();
  vi.useRealTimers();
});

async function started(era: Era, hints: object): Promise<Supervisor> {
  const connection: Connection = {
    era,
    handshake: {
      protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
      serverInfo: { name: 's', version: '1' },
      capabilities: { tools: {} },
    },
    request: () => {
      listed++;
      return Promise.resolve({ tools: [], ...hints });
    },
    notify: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  supervisor = new Supervisor({
    connect: () => Promise.resolve(connection),
    connectTimeoutMs: 1_000,
    log: pino({ level: 'silent' }),
    record: () => Promise.resolve(),
    onChange: () => undefined,
  });
  await supervisor.start();
  expect(listed).toBe(1);
  return supervisor;
}

/** How often the lists were read, when somebody looks at them this long after the start. */
async function looked(one: Supervisor, ms: number): Promise<number> {
  await vi.advanceTimersByTimeAsync(ms);
  one.looked();
  one.looked();
  await vi.advanceTimersByTimeAsync(0);
  return listed;
}

it('a modern server’s lists are read again once they are not fresh any more and somebody looks', async () => {
  const one = await started('modern', { ttlMs: 60_000, cacheScope: 'public' });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(await looked(one, 0)).toBe(1);
  expect(await looked(one, 1_000)).toBe(2);
  expect(await looked(one, 59_000)).toBe(2);
  expect(await looked(one, 1_000)).toBe(3);
});

it('a server that calls its lists fresh for no time at all is spared', async () => {
  const one = await started('modern', { ttlMs: 0 });
  expect(await looked(one, 29_000)).toBe(1);
  expect(await looked(one, 1_000)).toBe(2);
});

it('a legacy server’s lists hold until it says otherwise', async () => {
  const one = await started('legacy', {});
  expect(await looked(one, 10 * 86_400_000)).toBe(1);
});
