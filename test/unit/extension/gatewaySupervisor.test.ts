import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RestartBackoff } from '../../../extension/backoff.ts';
import type { ChildEvents, GatewayStatus } from '../../../extension/gatewaySupervisor.ts';
import { GatewaySupervisor } from '../../../extension/gatewaySupervisor.ts';
import { EXIT } from '../../../gateway/contract/ipc.ts';

describe('RestartBackoff', () => {
  it('waits 0.5 s, then twice as long each time, at most 30 s', () => {
    const backoff = new RestartBackoff();
    const waits = Array.from({ length: 9 }, () => backoff.next(0));
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('starts over after a minute of health, not before', () => {
    const backoff = new RestartBackoff();
    backoff.next(0);
    expect(backoff.next(59_999)).toBe(1000);
    expect(backoff.next(60_000)).toBe(500);
  });
});

interface FakeProcess extends ChildEvents {
  stopped: boolean;
  readonly told: Readonly<Record<string, string>>[];
}

describe('GatewaySupervisor', () => {
  let processes: FakeProcess[];
  let seen: GatewayStatus[];
  let supervisor: GatewaySupervisor;

  beforeEach(() => {
    vi.useFakeTimers();
    processes = [];
    seen = [];
    supervisor = new GatewaySupervisor(
      async (events) => {
        const child: FakeProcess = { ...events, stopped: false, told: [] };
        processes.push(child);
        return {
          stop: async () => {
            child.stopped = true;
          },
          tell: (secrets) => {
            child.told.push(secrets);
          },
        };
      },
      (status) => seen.push(status),
    );
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  const newest = (): FakeProcess => {
    const child = processes.at(-1);
    if (child === undefined) throw new Error('nothing was launched');
    return child;
  };
  const ready = (child: FakeProcess): void => {
    child.onMessage({ type: 'ready', address: 'http://127.0.0.1:8665', pid: 7, version: '1.0.0' });
  };
  const exit = { code: null, signal: 'SIGKILL', stderrTail: [] };

  it('goes from stopped over starting to running', async () => {
    supervisor.start();
    await settle();
    ready(newest());
    expect(seen.map(({ status }) => status)).toEqual(['starting', 'running']);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(supervisor.status.status).toBe('running');
  });

  it('launches one process for many starts, and one for many restarts', async () => {
    supervisor.start();
    supervisor.start();
    await settle();
    ready(newest());
    supervisor.start();
    expect(processes).toHaveLength(1);
    supervisor.restart();
    supervisor.restart();
    await settle();
    expect(processes.map(({ stopped }) => stopped)).toEqual([true, false]);
  });

  it('starts a killed process again after the wait, and names how it ended', async () => {
    supervisor.start();
    await settle();
    ready(newest());
    newest().onExit(exit);
    expect(supervisor.status).toEqual({
      status: 'failed',
      failure: { kind: 'exited', exit },
      retryInMs: 500,
    });
    await vi.advanceTimersByTimeAsync(499);
    expect(processes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(processes).toHaveLength(2);
    expect(supervisor.status).toEqual({ status: 'starting', after: { kind: 'exited', exit } });
  });

  it('does not try again after a usage error until it is told to', async () => {
    supervisor.start();
    await settle();
    newest().onMessage({ type: 'failed', message: 'unknown key', exitCode: EXIT.usage });
    newest().onExit({ code: EXIT.usage, signal: null, stderrTail: [] });
    const failure = { kind: 'reported', message: 'unknown key', final: true };
    expect(supervisor.status).toEqual({ status: 'failed', failure });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(processes).toHaveLength(1);
    supervisor.restart();
    await settle();
    expect(processes).toHaveLength(2);
  });

  it('tries again after any other reported failure', async () => {
    supervisor.start();
    await settle();
    newest().onMessage({ type: 'failed', message: 'port 8665 is taken', exitCode: EXIT.failed });
    newest().onExit({ code: EXIT.failed, signal: null, stderrTail: [] });
    const failure = { kind: 'reported', message: 'port 8665 is taken', final: false };
    expect(supervisor.status).toEqual({ status: 'failed', failure, retryInMs: 500 });
  });

  it('stops a process that is not ready within 15 s', async () => {
    supervisor.start();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(newest().stopped).toBe(true);
    expect(supervisor.status).toMatchObject({ status: 'failed', failure: { kind: 'timeout', seconds: 15 } });
  });

  it('says why a launch failed', async () => {
    const broken = new GatewaySupervisor(
      () => Promise.reject(new Error('no such folder')),
      () => undefined,
    );
    broken.start();
    await settle();
    expect(broken.status).toMatchObject({ failure: { kind: 'launch', message: 'no such folder' } });
    await broken.stop();
  });

  it('stays stopped, whatever the old process still says', async () => {
    supervisor.start();
    await settle();
    const child = newest();
    await supervisor.stop();
    ready(child);
    child.onExit(exit);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(supervisor.status).toEqual({ status: 'stopped' });
    expect(processes).toHaveLength(1);
    expect(child.stopped).toBe(true);
  });

  it('cancels a start that waits when it is stopped', async () => {
    supervisor.start();
    await settle();
    newest().onExit(exit);
    await supervisor.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(processes).toHaveLength(1);
  });

  it('ends a process whose launch was overtaken by a stop', async () => {
    supervisor.start();
    await Promise.resolve();
    await supervisor.stop();
    await settle();
    expect(processes.every(({ stopped }) => stopped)).toBe(true);
  });

  it('tells changed secrets to the process that runs, and to none that is gone', async () => {
    supervisor.start();
    await vi.advanceTimersByTimeAsync(0);
    supervisor.tell({ name: 'value' });
    expect(processes[0]?.told).toEqual([{ name: 'value' }]);
    await supervisor.stop();
    supervisor.tell({ name: 'other' });
    expect(processes[0]?.told).toHaveLength(1);
  });
});
