import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { createOutlet } from '../http/event-stream.ts';
import { sendJsonText } from '../http/respond.ts';
import { CODES, errorText, readMessage, type RequestId } from '../mcp/jsonrpc.ts';
import { readRequest, speaksModern } from '../mcp/modern/request.ts';
import { META } from '../upstream/envelope.ts';
import { describeError } from '../upstream/errors.ts';
import type { WrapParts } from './parts.ts';
import type { WrappedProcess } from './process.ts';

/** A call that takes longer than this gets an event stream. */
const STREAM_AFTER_MS = 10_000;
/** A server of the legacy era may keep silent on being asked for its era. */
const DISCOVER_MS = 5_000;
const LISTEN = 'subscriptions/listen';

/**
 * Clients of the modern era (MCP 2026-07-28), each request by itself. Such a server knows no sessions, so one process
 * serves all; only the ids are exchanged on the way, since those of two clients may be the same.
 */
export interface ModernRoutes {
  /** Whether a message is of that era. */
  takes(req: IncomingMessage, message: JsonObject): boolean;
  post(req: IncomingMessage, res: ServerResponse, message: JsonObject): Promise<void>;
  inFlight(): number;
  close(): Promise<void>;
}

interface Waiting {
  readonly clientId: RequestId;
  readonly token: unknown;
  readonly listens: boolean;
  readonly send: (text: string) => void;
  readonly resolve: (text: string) => void;
}

export function createModernRoutes(parts: WrapParts): ModernRoutes {
  const { options } = parts;
  const waiting = new Map<number, Waiting>();
  let child: WrappedProcess | undefined;
  let nextId = 1;
  let idle: NodeJS.Timeout | undefined;

  const route = (message: JsonObject): void => {
    const { id, method, params } = message;
    if (method === undefined) {
      const one = typeof id === 'number' ? waiting.get(id) : undefined;
      one?.resolve(JSON.stringify({ ...message, id: one.clientId }));
      return;
    }
    if (id !== undefined || !isJsonObject(params)) return;
    const meta = isJsonObject(params['_meta']) ? params['_meta'] : {};
    const subscription = meta[META.subscriptionId];
    if (method === 'notifications/progress') {
      const one = waiting.get(Number(params['progressToken']));
      one?.send(JSON.stringify({ ...message, params: { ...params, progressToken: one.token } }));
    } else if (subscription !== undefined) {
      const one = waiting.get(Number(subscription));
      const told = { ...params, _meta: { ...meta, [META.subscriptionId]: one?.clientId } };
      one?.send(JSON.stringify({ ...message, params: told }));
    } else {
      // A log message does not say what it is about: it is told where only one call can have caused it.
      const [only, ...others] = [...waiting.values()].filter(({ listens }) => !listens);
      if (others.length === 0) only?.send(JSON.stringify(message));
    }
  };
  const started = (): WrappedProcess => {
    clearTimeout(idle);
    if (child !== undefined) return child;
    const fresh = parts.start({ onMessage: route });
    void fresh.gone.then((reason) => {
      if (child === fresh) child = undefined;
      for (const { clientId, resolve } of [...waiting.values()]) resolve(failure(clientId, reason));
    });
    return (child = fresh);
  };
  const rest = (): void => {
    clearTimeout(idle);
    if (waiting.size > 0 || options.idleMs === 0) return;
    idle = setTimeout(() => {
      void child?.stop();
      child = undefined;
    }, options.idleMs).unref();
  };
  const forward = (
    clientId: RequestId,
    message: JsonObject,
    send: Waiting['send'],
    gone: AbortSignal,
  ): Promise<string> =>
    new Promise((resolve) => {
      const id = nextId++;
      const { method } = message;
      const params = message['params'] as JsonObject;
      const meta = params['_meta'] as JsonObject;
      const { progressToken: token } = meta;
      const settle = (text: string): void => {
        clearTimeout(timer);
        waiting.delete(id);
        rest();
        resolve(text);
      };
      const giveUp = (reason: string): void => {
        settle(failure(clientId, reason));
        const told = { requestId: id, reason };
        trySend({ jsonrpc: '2.0', method: 'notifications/cancelled', params: told });
      };
      const limit = method === 'server/discover' ? DISCOVER_MS : options.requestMs;
      const timer =
        method === LISTEN
          ? undefined
          : setTimeout(() => giveUp(`the server did not answer within ${limit / 1000} s`), limit);
      gone.addEventListener('abort', () => giveUp('the client closed the response'), { once: true });
      waiting.set(id, { clientId, token, listens: method === LISTEN, send, resolve: settle });
      const own = token === undefined ? meta : { ...meta, progressToken: id };
      const words = trySend({ ...message, id, params: { ...params, _meta: own } });
      if (words !== undefined) settle(failure(clientId, words));
    });
  const trySend = (message: JsonObject): string | undefined => {
    try {
      started().send(message);
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  };

  return {
    takes: ({ headers }, message) => {
      const read = readMessage(message);
      return headers['mcp-session-id'] === undefined && read !== undefined && speaksModern(headers, read);
    },
    post: async (req, res, message) => {
      const incoming = readMessage(message);
      if (incoming === undefined || !('method' in incoming) || incoming.id === undefined) {
        res.writeHead(202).end();
        return;
      }
      const { id } = incoming;
      const checked = readRequest(req.headers, { ...incoming, id });
      // What methods there are is the server's to say.
      if ('code' in checked && checked.code !== CODES.methodNotFound) {
        const { status, code, message: words, data } = checked;
        sendJsonText(
          res,
          status,
          errorText(id, { code, message: words, ...(data !== undefined && { data }) }),
        );
        return;
      }
      const gone = new AbortController();
      const outlet = createOutlet(res);
      res.once('close', () => {
        if (!res.writableFinished) gone.abort();
      });
      const send = (text: string): void => outlet.write(`event: message\ndata: ${text}\n\n`);
      const slow = setTimeout(() => outlet.write(': open\n\n'), STREAM_AFTER_MS).unref();
      const text = await forward(id, message, send, gone.signal);
      clearTimeout(slow);
      if (res.headersSent) {
        send(text);
        outlet.end();
      } else sendJsonText(res, statusOf(text), text);
    },
    inFlight: () => [...waiting.values()].filter(({ listens }) => !listens).length,
    close: async () => {
      clearTimeout(idle);
      await child?.stop();
    },
  };
}

/** The HTTP status of a server's error (MCP 2026-07-28, Streamable HTTP, Error Codes). */
function statusOf(text: string): number {
  const { error } = JSON.parse(text) as { error?: { code?: number } };
  if (error?.code === CODES.methodNotFound) return 404;
  return error?.code !== undefined && error.code <= -32020 && error.code >= -32022 ? 400 : 200;
}

function failure(id: RequestId, message: string): string {
  return errorText(id, { code: CODES.refused, message });
}
