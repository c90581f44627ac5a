import { isJsonObject } from '../contract/json.ts';
import type { Dispatch } from '../mcp/dispatch.ts';
import { initializeResult, negotiate, tooLong } from '../mcp/handshake.ts';
import { CODES, resultText, type Incoming, type Reply, type RequestId } from '../mcp/jsonrpc.ts';
import type { ListMethod, Views } from '../mcp/scope.ts';
import type { Session, Sessions } from '../mcp/sessions.ts';
import type { Catalog } from '../registry/catalog.ts';
import { PROTOCOL_VERSIONS } from '../upstream/connection.ts';
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

export interface LegacyDeps {
  readonly views: Views;
  readonly sessions: Sessions;
  readonly dispatch: Dispatch;
  readonly catalog: Catalog;
  readonly gatewayVersion: string;
}

/** Streamable HTTP towards clients of the legacy era (MCP 2025-11-25, Transports). */
export interface LegacyMcp {
  post(exchange: HttpExchange, posted: Posted<Incoming | Reply>): Promise<void>;
  openStream(exchange: HttpExchange): void;
  endSession(exchange: HttpExchange): void;
  close(): void;
}

export function createLegacyMcp(deps: LegacyDeps): LegacyMcp {
  const { sessions, views, catalog } = deps;
  const stopListening = catalog.onChange(() => announce(sessions, views));
  return {
    post: (exchange, posted) => post(deps, exchange, posted),
    openStream: (exchange) => openStream(deps, exchange),
    endSession: (exchange) => endSession(deps, exchange),
    close: () => {
      stopListening();
      sessions.close();
    },
  };
}

async function post(
  deps: LegacyDeps,
  exchange: HttpExchange,
  { message, bytes, words, began }: Posted<Incoming | Reply>,
): Promise<void> {
  const { req, res, principal, scope, path } = exchange;
  const version = req.headers['mcp-protocol-version'];
  if (!('method' in message)) {
    const session = findSession(deps, exchange, null);
    if (session === undefined) return;
    session.asks.settle(message);
    accept(res);
    return;
  }
  const id = message.id ?? null;
  if (version !== undefined && !PROTOCOL_VERSIONS.some((known) => known === version)) {
    rpcError(
      res,
      400,
      id,
      CODES.invalidRequest,
      `MCP-Protocol-Version ${String(version)} is not supported; supported: ${PROTOCOL_VERSIONS.join(', ')}`,
    );
    return;
  }
  if (deps.views(principal, scope) === undefined) {
    rpcError(res, 404, id, CODES.invalidRequest, `there is nothing at ${path}`);
    return;
  }
  if (message.method === 'initialize' && message.id !== undefined)
    return initialize(deps, exchange, message, message.id, began);
  const session = findSession(deps, exchange, id);
  if (session === undefined) return;
  if (message.id === undefined) {
    notified(session, message);
    accept(res);
    return;
  }
  if (session.inFlight.has(message.id)) {
    rpcError(res, 400, id, CODES.invalidRequest, 'a request of this id is still in flight');
    return;
  }
  if (session.inFlight.size >= MAX_IN_FLIGHT) {
    rpcError(res, 429, id, CODES.refused, `over ${MAX_IN_FLIGHT} requests in flight in this session`);
    return;
  }
  await answer(deps, exchange, session, { ...message, id: message.id }, { message, bytes, words, began });
}

async function initialize(
  deps: LegacyDeps,
  exchange: HttpExchange,
  message: Incoming,
  id: RequestId,
  began: number,
): Promise<void> {
  const { res, principal, scope, path } = exchange;
  // A server's own address shows what that server declares, which is known once it has started.
  if (scope.kind === 'server') await deps.catalog.settled([`${scope.group}:${scope.server}`]);
  const view = deps.views(principal, scope);
  if (view === undefined) {
    rpcError(res, 404, id, CODES.invalidRequest, `there is nothing at ${path}`);
    return;
  }
  const { protocolVersion: requested, capabilities, clientInfo } = message.params;
  const problem = tooLong({ capabilities, clientInfo });
  if (problem !== undefined) {
    rpcError(res, 413, id, CODES.invalidParams, problem);
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
  });
  if (session === undefined) {
    rpcError(res, 503, id, CODES.refused, 'too many sessions; end some with DELETE');
    return;
  }
  const result = initializeResult(view, protocolVersion, deps.gatewayVersion);
  sendJsonText(res, 200, resultText(id, JSON.stringify(result)), {
    'mcp-session-id': session.id,
    'server-timing': serverTiming(performance.now() - began),
  });
}

/** The session the request names; otherwise answers and returns undefined. */
function findSession(
  deps: LegacyDeps,
  { req, res, principal, path }: HttpExchange,
  id: RequestId | null,
): Session | undefined {
  const sessionId = req.headers['mcp-session-id'];
  if (typeof sessionId !== 'string') {
    rpcError(res, 400, id, CODES.invalidRequest, 'Mcp-Session-Id is missing; start with initialize');
    return undefined;
  }
  const session = deps.sessions.find(sessionId, principal, path);
  if (session === undefined) {
    rpcError(
      res,
      404,
      id,
      CODES.invalidRequest,
      'the session is unknown or has ended; start again with initialize',
    );
  }
  return session;
}

/** What a client tells its server, and not the gateway. */
const FORWARDED: ReadonlySet<string> = new Set([
  'notifications/progress',
  'notifications/roots/list_changed',
]);

/** Takes a notification of a session's client. */
export function notified(session: Session, message: Incoming): void {
  if (FORWARDED.has(message.method)) session.connection?.notify(message.method, message.params);
  if (message.method !== 'notifications/cancelled') return;
  const requestId = message.params['requestId'];
  if (typeof requestId === 'string' || typeof requestId === 'number')
    session.inFlight.get(requestId)?.abort();
}

/** One JSON body, unless something comes before the result or it takes long: then an event stream. */
async function answer(
  deps: LegacyDeps,
  { req, res }: HttpExchange,
  session: Session,
  request: Incoming & { readonly id: RequestId },
  { bytes: requestBytes, words, began }: Posted<unknown>,
): Promise<void> {
  const stream = session.streams.answer(createOutlet(res, session.streams.gone));
  const slow = setTimeout(stream.open, STREAM_AFTER_MS).unref();
  const { text, upstreamMs } = await deps.dispatch({
    session,
    request,
    requestBytes,
    words,
    traceId: traceId(req),
    stream,
  });
  clearTimeout(slow);
  if (res.headersSent) {
    stream.finish(text);
    return;
  }
  stream.drop();
  sendJsonText(res, 200, text, { 'server-timing': serverTiming(performance.now() - began - upstreamMs) });
}

/**
 * The session's own stream of notifications and requests; a session has one, and a new one replaces the old. With
 * `Last-Event-ID`, the stream that this event came on, from there.
 */
function openStream(deps: LegacyDeps, exchange: HttpExchange): void {
  const { req, res } = exchange;
  const session = findSession(deps, exchange, null);
  if (session === undefined) return;
  const outlet = createOutlet(res, session.streams.gone);
  const lastEventId = req.headers['last-event-id'];
  if (typeof lastEventId !== 'string') session.streams.listen(outlet);
  else if (!session.streams.resume(lastEventId, outlet)) {
    sendProblem(res, 400, 'Last-Event-ID names no event that is still known; connect without it');
    return;
  }
  session.announced = deps.views(session.principal, session.scope)?.payloads;
}

function endSession(deps: LegacyDeps, exchange: HttpExchange): void {
  const session = findSession(deps, exchange, null);
  if (session === undefined) return;
  deps.sessions.end(session);
  exchange.res.writeHead(200).end();
}

const CHANGED: readonly (readonly [ListMethod, string])[] = [
  ['tools/list', 'notifications/tools/list_changed'],
  ['resources/list', 'notifications/resources/list_changed'],
  ['prompts/list', 'notifications/prompts/list_changed'],
];

/** Tells each session with an open stream which of its lists changed: of its own view, nobody else's. */
function announce(sessions: Sessions, views: Views): void {
  for (const session of sessions.all()) {
    // A connection of the session's own tells of its own lists.
    if (!session.streams.listening() || session.connection !== undefined) continue;
    const payloads = views(session.principal, session.scope)?.payloads;
    const known = session.announced;
    session.announced = payloads;
    if (payloads === undefined || known === undefined) continue;
    for (const [list, method] of CHANGED) {
      if (payloads[list] !== known[list])
        session.streams.announce(JSON.stringify({ jsonrpc: '2.0', method }));
    }
  }
}
