import type { ServerResponse } from 'node:http';
import type { JsonObject } from '../contract/json.ts';
import { CODES, type Incoming, type Reply } from '../mcp/jsonrpc.ts';
import type { ModernDispatch } from '../mcp/modern/dispatch.ts';
import type { Listeners } from '../mcp/modern/listen.ts';
import { readRequest, type ModernRequest, type StatusError } from '../mcp/modern/request.ts';
import type { Views } from '../mcp/scope.ts';
import { createOutlet } from './event-stream.ts';
import {
  accept,
  MAX_IN_FLIGHT,
  rpcError,
  STREAM_AFTER_MS,
  traceId,
  type HttpExchange,
  type Posted,
} from './mcp-exchange.ts';
import { sendJsonText, sendProblem, serverTiming } from './respond.ts';

export interface ModernMcpDeps {
  readonly views: Views;
  readonly dispatch: ModernDispatch;
  readonly listeners: Listeners;
  /** Ends what the parts behind keep: parked calls, connections. */
  readonly close: () => void;
}

/** Streamable HTTP towards clients of the modern era (MCP 2026-07-28, Transports): each request by itself. */
export interface ModernMcp {
  post(exchange: HttpExchange, posted: Posted<Incoming | Reply>): Promise<void>;
  /** Answers a request that is no POST. */
  refuse(exchange: HttpExchange): void;
  close(): void;
}

export function createModernMcp(deps: ModernMcpDeps): ModernMcp {
  /** Requests under way, by token. */
  const inFlight = new Map<string, number>();
  return {
    post: async (exchange, { message, bytes, words, began }) => {
      const { req, res, principal, scope, path } = exchange;
      if (!('method' in message)) {
        rpcError(res, 400, null, CODES.invalidRequest, 'this revision knows no answers of clients');
        return;
      }
      const { id } = message;
      // The era has no notifications of clients over HTTP; what is of no use does no harm.
      if (id === undefined) {
        accept(res);
        return;
      }
      const request = readRequest(req.headers, { ...message, id });
      if ('code' in request) {
        refused(res, id, request);
        return;
      }
      if (deps.views(principal, scope) === undefined) {
        rpcError(res, 404, id, CODES.invalidRequest, `there is nothing at ${path}`);
        return;
      }
      const listens = request.method === 'subscriptions/listen';
      const { tokenId } = principal;
      const others = inFlight.get(tokenId) ?? 0;
      if (!listens && others >= MAX_IN_FLIGHT) {
        rpcError(res, 429, id, CODES.refused, `over ${MAX_IN_FLIGHT} requests of yours are under way`);
        return;
      }
      if (listens) return listen(deps.listeners, exchange, request, bytes);
      inFlight.set(tokenId, others + 1);
      try {
        await answer(deps.dispatch, exchange, request, { message, bytes, words, began });
      } finally {
        const left = (inFlight.get(tokenId) ?? 1) - 1;
        if (left > 0) inFlight.set(tokenId, left);
        else inFlight.delete(tokenId);
      }
    },
    refuse: ({ res }) => sendProblem(res, 405, 'MCP 2026-07-28 takes POST only', {}, { allow: 'POST' }),
    close: () => {
      deps.listeners.close();
      deps.close();
    },
  };
}

/** One JSON body, unless something comes before the result or it takes long: then an event stream. */
async function answer(
  dispatch: ModernDispatch,
  { req, res, principal, scope, path }: HttpExchange,
  request: ModernRequest,
  { bytes: requestBytes, words, began }: Posted<unknown>,
): Promise<void> {
  const stream = openable(res);
  const slow = setTimeout(stream.open, STREAM_AFTER_MS).unref();
  const { status, text, upstreamMs } = await dispatch({
    principal,
    scope,
    path,
    request,
    headers: req.headers,
    traceId: traceId(req),
    requestBytes,
    words,
    signal: stream.gone,
    notify: stream.notify,
  });
  clearTimeout(slow);
  if (res.headersSent) {
    stream.finish(text);
    return;
  }
  sendJsonText(res, status, text, { 'server-timing': serverTiming(performance.now() - began - upstreamMs) });
}

async function listen(
  listeners: Listeners,
  { req, res, principal, scope }: HttpExchange,
  request: ModernRequest,
  requestBytes: number,
): Promise<void> {
  const { gone: signal, notify, finish } = openable(res);
  const refusal = await listeners.open({
    principal,
    scope,
    request,
    traceId: traceId(req),
    requestBytes,
    signal,
    notify,
    finish,
  });
  if (refusal !== undefined) refused(res, request.id, refusal);
}

/** A response that becomes an event stream with the first notification. */
interface Openable {
  /** Aborted when the client has closed the response before its end. */
  readonly gone: AbortSignal;
  readonly notify: (method: string, params: JsonObject) => void;
  readonly open: () => void;
  readonly finish: (message: string) => void;
}

function openable(res: ServerResponse): Openable {
  const closed = new AbortController();
  const outlet = createOutlet(res);
  res.once('close', () => {
    if (!res.writableFinished) closed.abort(new Error('the client closed the response'));
  });
  const send = (message: string): void => outlet.write(`event: message\ndata: ${message}\n\n`);
  return {
    gone: closed.signal,
    notify: (method, params) => send(JSON.stringify({ jsonrpc: '2.0', method, params })),
    open: () => outlet.write(': open\n\n'),
    finish: (message) => {
      send(message);
      outlet.end();
    },
  };
}

function refused(
  res: ServerResponse,
  id: string | number,
  { status, code, message, data }: StatusError,
): void {
  rpcError(res, status, id, code, message, data);
}
