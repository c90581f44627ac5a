import type { Connection } from './connection.ts';

/** Knows whether a server's process is in use, and since when it is not. */
export interface Usage {
  /** The same connection, whose requests count as use. */
  counted(connection: Connection): Connection;
  /** Counts as use now. */
  touch(): void;
  /** For how long nothing has been under way, in milliseconds; 0 while something is. */
  idleMs(): number;
}

export function createUsage(now: () => number = Date.now): Usage {
  let inFlight = 0;
  let last = now();
  const touch = (): void => {
    last = now();
  };
  const done = (): void => {
    inFlight--;
    touch();
  };
  return {
    counted: (connection) => ({
      get era() {
        return connection.era;
      },
      get handshake() {
        return connection.handshake;
      },
      request: (method, params, options) => {
        inFlight++;
        const answer = connection.request(method, params, options);
        answer.then(done, done);
        return answer;
      },
      notify: (method, params) => connection.notify(method, params),
      close: () => connection.close(),
    }),
    touch,
    idleMs: () => (inFlight > 0 ? 0 : now() - last),
  };
}
