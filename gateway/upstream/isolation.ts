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

const MAX_PROCESSES = 256;

/** Each process ends when it was not used for the server's idle time, and is then forgotten. */
export function createIsolated({
  isolation,
  signature,
  supervise,
}: {
  readonly isolation: 'session' | 'user';
  /** Of what the caller's own is made with; where it changes, another is made. May throw an `UnavailableError`. */
  readonly signature: (caller: Caller) => string;
  readonly supervise: (caller: Caller, onChange: (supervisor: Supervisor) => void) => Supervisor;
}): Isolated {
  const processes = new Map<string, { readonly supervisor: Supervisor; readonly signature: string }>();
  return {
    connected: (caller) => {
      if (caller === undefined) return Promise.reject(new UnavailableError('the call has no caller'));
      const key = keyOf(isolation, caller);
      const made = signatureOf(signature, caller);
      if (made instanceof Error) return Promise.reject(made);
      const known = processes.get(key);
      if (known?.signature === made) return known.supervisor.connected();
      if (known !== undefined) {
        processes.delete(key);
        void known.supervisor.stop();
      }
      if (processes.size >= MAX_PROCESSES)
        return Promise.reject(
          new UnavailableError(`${MAX_PROCESSES} processes of it run, the limit (process.isolation)`),
        );
      const supervisor = supervise(caller, (changed) => {
        if (changed.status.state === 'stopped' && processes.get(key)?.supervisor === changed)
          processes.delete(key);
      });
      processes.set(key, { supervisor, signature: made });
      return supervisor.connected();
    },
    stop: async () => {
      await Promise.all([...processes.values()].map(({ supervisor }) => supervisor.stop()));
    },
  };
}

function signatureOf(signature: (caller: Caller) => string, caller: Caller): string | Error {
  try {
    return signature(caller);
  } catch (error) {
    return error as Error;
  }
}

/** Calls without a session are their user's. */
function keyOf(isolation: 'session' | 'user', { subject, session }: Caller): string {
  return isolation === 'session' && session !== undefined
    ? JSON.stringify([subject, session])
    : JSON.stringify([subject]);
}
