import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import { CODES, type Reply } from './jsonrpc.ts';

/** What a server asks of the client of one session: sampling, elicitation, roots (MCP 2025-11-25, Client). */
export interface Asks {
  /**
   * Sends a request to the client by `send`, which is false when the client cannot be reached, and resolves with
   * its result. Rejects with a `JsonRpcError`: the client's own, or one that says why there is no answer.
   */
  ask(
    method: string,
    params: JsonObject,
    signal: AbortSignal,
    send: (message: string) => boolean,
  ): Promise<JsonObject>;
  /** Takes an answer of the client; one that nobody waits for is ignored. */
  settle(reply: Reply): void;
  /** True while the client has not answered something. */
  waiting(): boolean;
  close(): void;
}

/** A person may have to answer. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;
const MAX_WAITING = 64;

interface Waiting {
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: JsonRpcError) => void;
}

export function createAsks(): Asks {
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  return {
    ask: (method, params, signal, send) => {
      if (waiting.size >= MAX_WAITING)
        return Promise.reject(refused(`the client has not answered ${MAX_WAITING} earlier requests`));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          waiting.delete(id);
        };
        const giveUp = (reason: string): void => {
          done();
          send(message({ method: 'notifications/cancelled', params: { requestId: id, reason } }));
          reject(refused(reason));
        };
        const onAbort = (): void => giveUp('the server took the request back');
        const timer = setTimeout(
          () => giveUp(`the client did not answer within ${ANSWER_TIMEOUT_MS / 60_000} minutes`),
          ANSWER_TIMEOUT_MS,
        ).unref();
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.set(id, {
          resolve: (result) => {
            done();
            resolve(result);
          },
          reject: (error) => {
            done();
            reject(error);
          },
        });
        if (!send(message({ id, method, params })))
          waiting.get(id)?.reject(refused('the client holds no stream open on which it could be asked'));
      });
    },
    settle: ({ id, result, error }) => {
      const one = typeof id === 'number' ? waiting.get(id) : undefined;
      if (one === undefined) return;
      if (isJsonObject(result)) one.resolve(result);
      else one.reject(readError(error));
    },
    waiting: () => waiting.size > 0,
    close: () => {
      for (const { reject } of [...waiting.values()]) reject(refused('the session has ended'));
    },
  };
}

function message(body: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', ...body });
}

function refused(reason: string): JsonRpcError {
  return new JsonRpcError(CODES.refused, reason);
}

function readError(error: unknown): JsonRpcError {
  if (!isJsonObject(error)) return refused('the client answered with neither a result nor an error');
  return new JsonRpcError(Number(error['code']), String(error['message']), error['data']);
}
