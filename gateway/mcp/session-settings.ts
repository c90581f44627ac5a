import type { JsonObject } from '../contract/json.ts';
import type { Connection } from '../upstream/connection.ts';

/** What a session has set at its server: the log level and subscriptions. */
export interface SessionSettings {
  /** Remembers what a request that succeeded has set. */
  note(method: string, params: JsonObject): void;
  /** Sets it all again on a new connection; what the server does not accept any more is left out. */
  restore(connection: Connection): Promise<void>;
}

const RESTORE_TIMEOUT_MS = 10_000;

export function createSettings(): SessionSettings {
  const subscriptions = new Set<unknown>();
  let level: unknown;
  return {
    note: (method, params) => {
      if (method === 'logging/setLevel') level = params['level'];
      if (method === 'resources/subscribe') subscriptions.add(params['uri']);
      if (method === 'resources/unsubscribe') subscriptions.delete(params['uri']);
    },
    restore: async (connection) => {
      const signal = AbortSignal.timeout(RESTORE_TIMEOUT_MS);
      const set = (method: string, params: JsonObject): Promise<JsonObject> =>
        connection.request(method, params, { signal });
      await Promise.allSettled([
        ...(level === undefined ? [] : [set('logging/setLevel', { level })]),
        ...[...subscriptions].map((uri) => set('resources/subscribe', { uri })),
      ]);
    },
  };
}
