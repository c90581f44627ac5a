import { pino } from 'pino';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Listed } from '../../../gateway/registry/entry.ts';
import type { Connection, ConnectionEvents } from '../../../gateway/upstream/connection.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import { Supervisor, type SupervisorDeps } from '../../../gateway/upstream/supervisor.ts';
import { tool } from './support.ts';

/** One attempt to connect, to be decided by the test. */
export interface Attempt {
  readonly events: ConnectionEvents;
  readonly signal: AbortSignal;
  readonly at: number;
  succeed(list?: () => Promise<JsonObject>): void;
  fail(reason: string): void;
  closed: boolean;
}

/** A supervisor whose connections and whose clock are the test's. */
export class World {
  attempts: Attempt[] = [];
  /** The states it went through. */
  changes: string[] = [];
  /** What the server lists. */
  tools: Listed[] = [tool('a')];
  supervisor: Supervisor;

  constructor() {
    this.supervisor = this.supervised({});
  }

  /** Puts a supervisor with further rules in the place of the plain one. */
  supervised(more: Partial<SupervisorDeps>): Supervisor {
    return (this.supervisor = new Supervisor({
      connect: (events, signal) => this.connect(events, signal),
      connectTimeoutMs: 200,
      log: pino({ level: 'silent' }),
      record: () => Promise.resolve(),
      onChange: () => this.changes.push(this.supervisor.status.state),
      ...more,
    }));
  }

  last(): Attempt {
    return this.attempts.at(-1)!;
  }

  names(): string[] {
    return this.supervisor.capabilities.tools.map(({ name }) => name);
  }

  /** Starts, and lets the first attempt succeed. */
  async ready(): Promise<void> {
    void this.supervisor.start();
    await tick();
    this.last().succeed();
    await tick();
    expect(this.supervisor.status.state).toBe('ready');
  }

  private connect(events: ConnectionEvents, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const attempt: Attempt = {
        events,
        signal,
        at: Date.now(),
        closed: false,
        succeed: (list = () => Promise.resolve({ tools: this.tools })) =>
          resolve(connectionOf(attempt, String(this.attempts.length), list)),
        fail: (reason) => reject(new UnavailableError(reason)),
      };
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      this.attempts.push(attempt);
    });
  }
}

/** A new world for each test, in which each pause is as long as its rule says, without the random part. */
export function useWorld(): () => World {
  let world: World;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    world = new World();
  });
  afterEach(async () => {
    await world.supervisor.stop();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  return () => world;
}

export const tick = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function connectionOf(attempt: Attempt, version: string, list: () => Promise<JsonObject>): Connection {
  return {
    era: 'legacy',
    handshake: {
      protocolVersion: '2025-11-25',
      serverInfo: { name: 's', version },
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
