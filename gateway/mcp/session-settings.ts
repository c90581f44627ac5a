import type { JsonObject } from '../contract/json.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import { CODES } from './jsonrpc.ts';
import type { Connection } from '../upstream/connection.ts';

/** What a session has set at its server: the log level and subscriptions. */
export interface SessionSettings {
  /** Throws a `JsonRpcError` where a request would set more than is kept for one session. */
  admit(method: string, params: JsonObject): void;
  /** Remembers what a request that succeeded has set. */
  note(method: string, params: JsonObject): void;
  /** Sets it all again on a new connection; what the server does not accept any more is left out. */
  restore(connection: Connection): Promise<void>;
}

const RESTORE_TIMEOUT_MS = 10_000;
/** Resources that one session subscribes to. */
export const MAX_SUBSCRIPTIONS = 1_000;

export function createSettings(): SessionSettings {
  const subscriptions = new Set<unknown>();
  let level: unknown;
  return {
    admit: (method, { uri }) => {
      if (method !== 'resources/subscribe' || subscriptions.has(uri)) return;
      if (subscriptions.size >= MAX_SUBSCRIPTIONS)
        throw new JsonRpcError(CODES.refused, `over ${MAX_SUBSCRIPTIONS} subscriptions`);
    },
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
