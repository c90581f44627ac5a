import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { createOutlet } from '../http/event-stream.ts';
import { sendJsonText, sendProblem } from '../http/respond.ts';
import { CODES, errorText, type RequestId } from '../mcp/jsonrpc.ts';
import type { ModernRoutes } from './modern-routes.ts';
import { readRpc } from './read.ts';
import { openSession, type WrapSession } from './session.ts';
import type { WrapParts } from './parts.ts';

/** A call that takes longer than this gets an event stream, which can be resumed when it breaks. */
const STREAM_AFTER_MS = 10_000;
const SWEEP_MS = 5_000;

/** Streamable HTTP with sessions (MCP 2025-11-25, Transports), each with a process of the server to itself. */
export interface StreamRoutes {
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  /** The number of requests without an answer. */
  inFlight(): number;
  close(): Promise<void>;
}

export function createStreamRoutes(parts: WrapParts, modern: ModernRoutes): StreamRoutes {
  const { options, now } = parts;
  const sessions = new Map<string, WrapSession>();
  const ending = new Set<Promise<void>>();
  const budget = { used: 0 };

  const end = (session: WrapSession): void => {
    sessions.delete(session.id);
    const ended = session.end().finally(() => ending.delete(ended));
    ending.add(ended);
  };
  const idle = (session: WrapSession): boolean => session.inFlight() === 0 && !session.streams.listening();
  const sweep = setInterval(() => {
    if (options.idleMs === 0) return;
    for (const session of sessions.values())
      if (idle(session) && now() - session.lastSeen > options.idleMs) end(session);
  }, SWEEP_MS).unref();

  /** False when there are too many sessions and none is idle. */
  const makeRoom = (): boolean => {
    if (sessions.size < options.maxSessions) return true;
    const [oldest] = [...sessions.values()].filter(idle).sort((a, b) => a.lastSeen - b.lastSeen);
    if (oldest !== undefined) end(oldest);
    return oldest !== undefined;
  };

  const initialize = async (res: ServerResponse, id: RequestId, message: JsonObject): Promise<void> => {
    if (parts.closing() || !makeRoom()) {
      rpcError(res, 503, id, `over ${options.maxSessions} sessions; end some with DELETE`);
      return;
    }
    const params = isJsonObject(message['params']) ? message['params'] : {};
    const life = { ended: false };
    const session = openSession({
      start: parts.start,
      budget,
      protocolVersion: String(params['protocolVersion']),
      now,
      onGone: () => {
        life.ended = true;
        sessions.delete(session.id);
      },
    });
    // Registered at once, so that a wrapper that stops meanwhile ends it too.
    sessions.set(session.id, session);
    const stream = session.streams.answer({ write: () => undefined, end: () => undefined });
    const text = await session.request(id, message, stream, options.connectMs);
    stream.drop();
    if (life.ended || 'error' in (JSON.parse(text) as object)) {
      end(session);
      sendJsonText(res, life.ended ? 502 : 200, text);
    } else sendJsonText(res, 200, text, { 'mcp-session-id': session.id });
  };

  const find = (req: IncomingMessage, res: ServerResponse, id: RequestId | null): WrapSession | undefined => {
    const sessionId = req.headers['mcp-session-id'];
    if (typeof sessionId !== 'string') {
      rpcError(res, 400, id, 'Mcp-Session-Id is missing; start with initialize', CODES.invalidRequest);
      return undefined;
    }
    const session = sessions.get(sessionId);
    if (session === undefined)
      rpcError(res, 404, id, 'the session is unknown or has ended; initialize again', CODES.invalidRequest);
    else session.lastSeen = now();
    return session;
  };

  const post = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const message = await readRpc(req, res, options.bodyLimit);
    if (message === undefined) return;
    if (modern.takes(req, message)) {
      if (!parts.closing()) return modern.post(req, res, message);
      rpcError(res, 503, null, 'the wrapper is stopping');
      return;
    }
    const { method } = message;
    const id = message['id'] as RequestId | undefined;
    if (method === 'initialize' && id !== undefined) return initialize(res, id, message);
    const session = find(req, res, id ?? null);
    if (session === undefined) return;
    if (id === undefined || method === undefined) {
      session.tell(message);
      res.writeHead(202).end();
    } else if (parts.closing()) rpcError(res, 503, id, 'the wrapper is stopping');
    else if (session.has(id)) rpcError(res, 400, id, 'a request of this id is still in flight');
    else await answer(session, id, message, res);
  };

  const answer = async (
    session: WrapSession,
    id: RequestId,
    message: JsonObject,
    res: ServerResponse,
  ): Promise<void> => {
    const stream = session.streams.answer(createOutlet(res, session.streams.gone));
    const slow = setTimeout(stream.open, STREAM_AFTER_MS).unref();
    const text = await session.request(id, message, stream, options.requestMs);
    clearTimeout(slow);
    session.lastSeen = now();
    if (res.headersSent) {
      stream.finish(text);
      return;
    }
    stream.drop();
    sendJsonText(res, 200, text);
  };

  const listen = (req: IncomingMessage, res: ServerResponse): void => {
    const session = find(req, res, null);
    if (session === undefined) return;
    const outlet = createOutlet(res, session.streams.gone);
    const lastEventId = req.headers['last-event-id'];
    if (typeof lastEventId !== 'string') session.streams.listen(outlet);
    else if (!session.streams.resume(lastEventId, outlet))
      return sendProblem(res, 400, 'Last-Event-ID names no event that is still known; connect without it');
    session.flush();
  };

  return {
    handle: async (req, res) => {
      if (req.method === 'POST') return post(req, res);
      if (req.method === 'GET') {
        listen(req, res);
        return;
      }
      if (req.method !== 'DELETE') {
        sendProblem(res, 405, 'MCP takes POST, GET and DELETE', {}, { allow: 'POST, GET, DELETE' });
        return;
      }
      const session = find(req, res, null);
      if (session === undefined) return;
      end(session);
      res.writeHead(200).end();
    },
    inFlight: () => [...sessions.values()].reduce((sum, session) => sum + session.inFlight(), 0),
    close: async () => {
      clearInterval(sweep);
      for (const session of [...sessions.values()]) end(session);
      await Promise.all(ending);
    },
  };
}

function rpcError(
  res: ServerResponse,
  status: number,
  id: RequestId | null,
  message: string,
  code: number = CODES.refused,
): void {
  sendJsonText(res, status, errorText(id, { code, message }));
}
