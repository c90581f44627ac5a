import type { Connection } from './connection.ts';
import { UnavailableError } from './errors.ts';
import type { Supervisor } from './supervisor.ts';

/** Who a call is for, as far as a server's processes are kept apart by it. */
export interface Caller {
  /** The principal's lasting name. */
  readonly subject: string;
  /** The MCP session the call came in; absent for calls from elsewhere. */
  readonly session?: string | undefined;
}

export type Isolation = 'shared' | 'session' | 'user';

/** One server's processes that are not everyone's: one for each user or session. */
export interface Isolated {
  connected(caller: Caller | undefined): Promise<Connection> | Connection;
  stop(): Promise<void>;
}

const MAX_PROCESSES = 64;

/** Each process ends when it was not used for the server's idle time, and is then forgotten. */
export function createIsolated(
  isolation: 'session' | 'user',
  supervise: (onChange: (supervisor: Supervisor) => void) => Supervisor,
): Isolated {
  const processes = new Map<string, Supervisor>();
  return {
    connected: (caller) => {
      if (caller === undefined) return Promise.reject(new UnavailableError('the call has no caller'));
      const key = keyOf(isolation, caller);
      const known = processes.get(key);
      if (known !== undefined) return known.connected();
      if (processes.size >= MAX_PROCESSES)
        return Promise.reject(
          new UnavailableError(`${MAX_PROCESSES} processes of it run, the limit (process.isolation)`),
        );
      const supervisor = supervise((changed) => {
        if (changed.status.state === 'stopped' && processes.get(key) === changed) processes.delete(key);
      });
      processes.set(key, supervisor);
      return supervisor.connected();
    },
    stop: async () => {
      await Promise.all([...processes.values()].map((supervisor) => supervisor.stop()));
    },
  };
}

/** Calls without a session are their user's. */
function keyOf(isolation: 'session' | 'user', { subject, session }: Caller): string {
  return isolation === 'session' && session !== undefined
    ? JSON.stringify([subject, session])
    : JSON.stringify([subject]);
}
