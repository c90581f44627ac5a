import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import { initializeResult, negotiate, tooLong } from '../mcp/handshake.ts';
import { CODES, errorText, resultText, type Incoming, type Reply, type RequestId } from '../mcp/jsonrpc.ts';
import type { Scope } from '../mcp/scope.ts';
import type { Session } from '../mcp/sessions.ts';
import type { Outlet, Stream } from '../mcp/streams.ts';
import { createOutlet } from './event-stream.ts';
import { MAX_IN_FLIGHT, traceId, type Posted } from './mcp-exchange.ts';
import { notified, type LegacyDeps } from './mcp-legacy.ts';
import { readPosted, scopeOf } from './mcp.ts';
import { sendProblem } from './respond.ts';

/** Streams whose client has not initialized yet, at most so many, and each at most so long. */
const MAX_OPENING = 256;
const OPENING_MS = 60_000;

/** Serves `/sse`, `/sse/{group}` and `/sse/{group}/{server}`, and the same under `/sse/_discover`. */
export interface SseMcp {
  /** False when the path is none of these. */
  handle(req: IncomingMessage, res: ServerResponse, principal: Principal, path: string): Promise<boolean>;
  close(): void;
}

/** One client's stream, bound to its token and address; its session begins with `initialize`. */
interface Channel {
  readonly principal: Principal;
  readonly scope: Scope;
  readonly path: string;
  readonly outlet: Outlet;
  session?: Session;
}

/**
 * HTTP+SSE towards clients of MCP 2024-11-05: a GET opens the one stream that carries all that the server says, and
 * its first event tells where to post. Sessions, dispatch and pipeline are those of Streamable HTTP.
 */
export function createSseMcp(deps: LegacyDeps): SseMcp {
  const channels = new Map<string, Channel>();

  const open = (res: ServerResponse, principal: Principal, scope: Scope, path: string): void => {
    if (deps.views(principal, scope) === undefined)
      return sendProblem(res, 404, `there is nothing at ${path}`);
    const opening = [...channels.values()].filter(({ session }) => session === undefined);
    if (opening.length >= MAX_OPENING) return sendProblem(res, 503, 'too many streams without a session');
    const id = randomBytes(24).toString('base64url');
    const outlet = createOutlet(res, () => {
      clearTimeout(idle);
      const { session } = channel;
      channels.delete(id);
      if (session !== undefined) deps.sessions.end(session);
    });
    const channel: Channel = { principal, scope, path, outlet };
    channels.set(id, channel);
    const idle = setTimeout(() => {
      if (channel.session === undefined) outlet.end();
    }, OPENING_MS).unref();
    outlet.write(`event: endpoint\ndata: ${path}?sessionId=${id}\n\n`);
  };

  const find = (req: IncomingMessage, principal: Principal, path: string): Channel | undefined => {
    const id = new URLSearchParams(req.url?.split('?')[1]).get('sessionId') ?? '';
    const channel = channels.get(id);
    return channel?.principal === principal && channel.path === path ? channel : undefined;
  };

  const post = async (req: IncomingMessage, res: ServerResponse, channel: Channel): Promise<void> => {
    const posted = await readPosted(req, res);
    if (posted === undefined) return;
    const { session } = channel;
    const { message } = posted;
    if (session === undefined && !('method' in message && message.method === 'initialize')) {
      sendProblem(res, 400, 'start with initialize');
      return;
    }
    // The answer comes on the stream.
    res.writeHead(202).end('Accepted');
    if (session !== undefined) await take(session, req, posted);
    else if ('method' in message && message.id !== undefined) await initialize(channel, message, message.id);
  };

  const initialize = async (channel: Channel, message: Incoming, id: RequestId): Promise<void> => {
    const { principal, scope, path, outlet } = channel;
    const fail = (code: number, words: string): void =>
      outlet.write(`event: message\ndata: ${errorText(id, { code, message: words })}\n\n`);
    if (scope.kind === 'server') await deps.catalog.settled([`${scope.group}:${scope.server}`]);
    const view = deps.views(principal, scope);
    if (view === undefined) {
      fail(CODES.invalidRequest, `there is nothing at ${path}`);
      return;
    }
    const { protocolVersion: requested, capabilities, clientInfo } = message.params;
    const problem = tooLong({ capabilities, clientInfo });
    if (problem !== undefined) {
      fail(CODES.invalidParams, problem);
      return;
    }
    const protocolVersion = negotiate(requested);
    const session = deps.sessions.open({
      principal,
      scope,
      route: path,
      protocolVersion,
      capabilities: isJsonObject(capabilities) ? capabilities : {},
      clientInfo: isJsonObject(clientInfo) ? clientInfo : undefined,
      resumable: false,
    });
    if (session === undefined) {
      fail(CODES.refused, 'too many sessions; close some');
      return;
    }
    channel.session = session;
    session.streams.listen(outlet);
    session.announced = view.payloads;
    const result = initializeResult(view, protocolVersion, deps.gatewayVersion);
    session.streams.announce(resultText(id, JSON.stringify(result)));
  };

  const take = async (
    session: Session,
    req: IncomingMessage,
    { message, bytes, words }: Posted<Incoming | Reply>,
  ): Promise<void> => {
    session.lastSeen = Date.now();
    if (!('method' in message)) {
      session.asks.settle(message);
      return;
    }
    const { id } = message;
    if (id === undefined) {
      notified(session, message);
      return;
    }
    const send = session.streams.announce;
    if (session.inFlight.has(id) || session.inFlight.size >= MAX_IN_FLIGHT) {
      const full = `over ${MAX_IN_FLIGHT} requests in flight in this session, or one of this id`;
      send(errorText(id, { code: CODES.refused, message: full }));
      return;
    }
    const stream: Stream = { send, finish: send, open: () => undefined, drop: () => undefined };
    const { text } = await deps.dispatch({
      session,
      request: { ...message, id },
      requestBytes: bytes,
      words,
      traceId: traceId(req),
      stream,
    });
    send(text);
  };

  return {
    handle: async (req, res, principal, path) => {
      const scope = scopeOf(path, 'sse');
      if (scope === undefined) return false;
      if (req.method === 'GET') open(res, principal, scope, path);
      else if (req.method === 'POST') {
        const channel = find(req, principal, path);
        if (channel === undefined)
          sendProblem(res, 404, 'the session is unknown or has ended; connect again');
        else await post(req, res, channel);
      } else sendProblem(res, 405, 'HTTP+SSE takes GET and POST', {}, { allow: 'GET, POST' });
      return true;
    },
    close: () => {
      for (const { outlet } of [...channels.values()]) outlet.end();
    },
  };
}
