import { randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { CODES, errorText, type RequestId } from '../mcp/jsonrpc.ts';
import { createStreams, type ReplayBudget, type Stream, type Streams } from '../mcp/streams.ts';
import { describeError } from '../upstream/errors.ts';
import type { WrappedDeps, WrappedProcess } from './process.ts';

/** One client's session over Streamable HTTP: a process of the server that is its alone. */
export interface WrapSession {
  readonly id: string;
  readonly streams: Streams;
  /** When a client last said something, in the clock's milliseconds. */
  lastSeen: number;
  /**
   * Sends a request and resolves with its answer as text, or with an error's when there is none in time; never
   * rejects. `stream` takes what the server sends about it meanwhile.
   */
  request(id: RequestId, message: JsonObject, stream: Stream, limitMs: number): Promise<string>;
  /** True while a request of this id has no answer. */
  has(id: RequestId): boolean;
  /** Passes on a notification, or an answer to what the server asked. */
  tell(message: JsonObject): void;
  /** Sends what the server said while nobody could be told. */
  flush(): void;
  /** The number of requests without an answer. */
  inFlight(): number;
  /** Ends the process; what is in flight is answered with an error. */
  end(): Promise<void>;
}

interface Waiting {
  readonly stream: Stream;
  readonly token: unknown;
  readonly resolve: (text: string) => void;
}

/** What a server may say before its client listens. */
const MAX_UNHEARD = 64;
/** The first revision whose clients know streams that begin with an empty event. */
const PRIMED_SINCE = '2025-11-25';

/** `onGone` is called once the process has ended, however it came to it. */
export function openSession(deps: {
  readonly start: (on: Pick<WrappedDeps, 'onMessage'>) => WrappedProcess;
  readonly budget: ReplayBudget;
  readonly protocolVersion: string;
  readonly now: () => number;
  readonly onGone: () => void;
}): WrapSession {
  const streams = createStreams(deps.budget, deps.protocolVersion >= PRIMED_SINCE);
  const waiting = new Map<RequestId, Waiting>();
  let unheard: string[] = [];

  const route = (message: JsonObject, text: string): void => {
    const { id, method } = message;
    if (method === undefined) {
      if (typeof id === 'string' || typeof id === 'number') waiting.get(id)?.resolve(text);
    } else if (!deliver(method, message, text)) unheard = [...unheard, text].slice(-MAX_UNHEARD);
  };
  const deliver = (method: unknown, { params }: JsonObject, text: string): boolean => {
    if (method === 'notifications/progress') {
      const token = isJsonObject(params) ? params['progressToken'] : undefined;
      const asked = [...waiting.values()].find((one) => one.token !== undefined && one.token === token);
      return asked?.stream.send(text) ?? true;
    }
    return typeof method === 'string' && /\/(list_changed|updated)$/.test(method)
      ? streams.announce(text)
      : streams.deliver(text);
  };
  const child = deps.start({ onMessage: route });
  const failAll = (reason: string): void => {
    for (const [id, { resolve }] of waiting) resolve(errorText(id, { code: CODES.refused, message: reason }));
  };
  void child.gone.then((reason) => {
    failAll(reason);
    streams.close();
    deps.onGone();
  });
  return {
    id: randomBytes(24).toString('base64url'),
    streams,
    lastSeen: deps.now(),
    request: (id, message, stream, limitMs) =>
      new Promise((resolve) => {
        const settle = (text: string): void => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(text);
        };
        const refuse = (reason: string): void =>
          settle(errorText(id, { code: CODES.refused, message: reason }));
        const timer = setTimeout(() => {
          refuse(`the server did not answer within ${limitMs / 1000} s`);
          tell(cancelled(id));
        }, limitMs);
        waiting.set(id, { stream, token: progressToken(message), resolve: settle });
        try {
          child.send(message);
        } catch (error) {
          refuse(describeError(error));
        }
      }),
    has: (id) => waiting.has(id),
    tell: (message) => {
      tell(message);
      const { method, params } = message;
      if (method !== 'notifications/cancelled' || !isJsonObject(params)) return;
      // The server owes no answer any more.
      const id = params['requestId'] as RequestId;
      waiting.get(id)?.resolve(errorText(id, { code: CODES.refused, message: 'the request was cancelled' }));
    },
    flush: () => {
      const texts = unheard;
      unheard = [];
      for (const text of texts) streams.announce(text);
    },
    inFlight: () => waiting.size,
    end: async () => {
      failAll('the session has ended');
      streams.close();
      await child.stop();
    },
  };

  function tell(message: JsonObject): void {
    try {
      child.send(message);
    } catch {
      // A server that takes nothing any more is on its way out, which its requests are told.
    }
  }
}

function progressToken({ params }: JsonObject): unknown {
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  return isJsonObject(meta) ? meta['progressToken'] : undefined;
}

function cancelled(requestId: RequestId): JsonObject {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason: 'timed out' } };
}
