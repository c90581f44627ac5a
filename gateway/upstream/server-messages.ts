import type { JsonObject } from '../contract/json.ts';

/** Takes a server's own messages. */
export interface ServerMessages {
  readonly onNotification: (method: string, params: JsonObject) => void;
  /**
   * Answers a request of the server; a `JsonRpcError` is passed on to it. The signal aborts when the server takes
   * the request back or goes away. Without this the server is told that there is no such method.
   */
  readonly onRequest?: (method: string, params: JsonObject, signal: AbortSignal) => Promise<JsonObject>;
}
