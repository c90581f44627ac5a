import type { Call, CallTarget, Outcome, OwnConnection, Pipeline, Progress } from '../pipeline/call.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import { CODES, type Incoming, type RequestId, type RpcError, resultText, errorText } from './jsonrpc.ts';
import { LISTS, progressToken, takeAim, withoutProgressToken, type Aim } from './aim.ts';
import type { ListMethod, Views } from './scope.ts';
import { canBeAsked, sessionRoute } from './relay.ts';
import type { SessionConnection, SessionConnections } from './session-connection.ts';
import type { Session } from './sessions.ts';
import type { Stream } from './streams.ts';

/** A request on its way, with what its transport offers. */
export interface Exchange {
  readonly session: Session;
  readonly request: Incoming & { readonly id: RequestId };
  readonly traceId: string;
  /** The size of the request's body. */
  readonly requestBytes: number;
  /** Takes what comes before the answer: progress, and what the server says or asks meanwhile. */
  readonly stream: Stream;
}

/** An answer as text, and how much of its time was the upstream's. */
export interface Answer {
  readonly text: string;
  readonly upstreamMs: number;
}

/** Answers one request of a session. Never rejects: every failure is an answer. */
export type Dispatch = (exchange: Exchange) => Promise<Answer>;

/** The methods of the legacy era's server side (MCP 2025-11-25). */
export function createDispatch(deps: {
  readonly views: Views;
  readonly catalog: Catalog;
  readonly pipeline: Pipeline;
  readonly connections: SessionConnections;
  /** Whether a principal's token is still valid. */
  readonly holds: (principal: Principal) => boolean;
}): Dispatch {
  const { views, catalog, pipeline } = deps;
  /** The session's own connection, made when it is `needed`. */
  const ownConnection = (session: Session, needed: boolean): SessionConnection | undefined => {
    const { scope, principal } = session;
    if (!needed || scope.kind !== 'server' || scope.discovery === true) return session.connection;
    // A virtual server's tools are reached at the servers behind it.
    if (catalog.entry(`${scope.group}:${scope.server}`)?.config.virtual !== undefined) return undefined;
    const permitted = (): boolean => deps.holds(principal) && views(principal, scope) !== undefined;
    session.connection ??= deps.connections.create(`${scope.group}:${scope.server}`, {
      capabilities: session.capabilities,
      route: sessionRoute(session, session.streams.deliver),
      waiting: session.asks.waiting,
      permitted,
    });
    return session.connection;
  };
  return async (exchange) => {
    const { session, request } = exchange;
    const fail = (code: number, message: string, data?: unknown): Answer => ({
      text: errorText(request.id, { code, message, ...(data !== undefined && { data }) }),
      upstreamMs: 0,
    });
    if (request.method === 'ping') return { text: resultText(request.id, '{}'), upstreamMs: 0 };
    const list = LISTS.has(request.method);
    const settle = (afresh: boolean): Promise<void> => {
      const view = views(session.principal, session.scope);
      return catalog.settled(view?.entries.map(({ id }) => id) ?? [], { afresh });
    };
    if (list || session.scope.discovery === true) await settle(false);
    const own = ownConnection(session, canBeAsked(session.capabilities));
    const offered = own === undefined ? undefined : await own.offered();
    const aimNow = (): Aim | RpcError | undefined | string => {
      const view = views(session.principal, session.scope, offered);
      if (view === undefined)
        return { code: CODES.refused, message: 'this address is not open to you any more' };
      return list
        ? view.payloads[request.method as ListMethod]
        : takeAim(view, request.method, request.params);
    };
    let aim = aimNow();
    if (typeof aim === 'object' && 'code' in aim) {
      // What a server that is still starting offers is not known yet; a call of a known tool never waits here.
      await settle(true);
      aim = aimNow();
    }
    if (aim === undefined) return fail(CODES.methodNotFound, `the gateway does not offer ${request.method}`);
    if (typeof aim === 'string') return { text: resultText(request.id, aim), upstreamMs: 0 };
    if ('code' in aim) return fail(aim.code, aim.message, aim.data);
    return callThrough(
      pipeline,
      exchange,
      aim,
      ownConnection(session, aim.settles === true)?.during(sessionRoute(session, exchange.stream.send)),
    );
  };
}

async function callThrough(
  pipeline: Pipeline,
  exchange: Exchange,
  aim: Aim,
  own: OwnConnection | undefined,
): Promise<Answer> {
  const { session, request, traceId, stream } = exchange;
  const cancel = new AbortController();
  session.inFlight.set(request.id, cancel);
  const token = progressToken(request.params);
  const onProgress = (progress: Progress): void => {
    const params = { progressToken: token, ...progress };
    stream.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }));
  };
  const call: Call = {
    traceId,
    source: 'mcp',
    principal: session.principal,
    target: aim.target,
    params: withoutProgressToken(aim.params),
    signal: cancel.signal,
    ...(token !== undefined && { onProgress }),
    ...(aim.method !== undefined && { method: aim.method }),
    own,
    facts: { upstreamMs: 0, requestBytes: exchange.requestBytes, responseBytes: null },
  };
  try {
    const text = answerText(request.id, await pipeline.run(call), aim.target);
    return { text, upstreamMs: call.facts.upstreamMs };
  } finally {
    session.inFlight.delete(request.id);
  }
}

/**
 * Refusals that a model can act on come as tool errors (MCP 2025-11-25, Tools, Error handling); the rest as
 * JSON-RPC errors. An upstream's own error passes through as it is.
 */
function answerText(id: RequestId, outcome: Outcome, target: CallTarget): string {
  if (outcome.ok) return resultText(id, JSON.stringify(outcome.result));
  const { reason, message, rule, upstreamError } = outcome.refusal;
  if (upstreamError) return errorText(id, upstreamError);
  if (reason === 'not-found') {
    if (target.kind === 'resource') {
      return errorText(id, {
        code: CODES.resourceNotFound,
        message: 'Resource not found',
        data: { uri: target.name },
      });
    }
    return errorText(id, { code: CODES.invalidParams, message: `Unknown ${target.kind}: ${target.name}` });
  }
  const facts = { reason, ...(rule !== undefined && { rule }) };
  if (target.kind === 'tool' && reason !== 'unauthenticated' && reason !== 'cancelled') {
    const content = [{ type: 'text', text: message }];
    return resultText(id, JSON.stringify({ content, isError: true, _meta: { 'toolgate/refusal': facts } }));
  }
  return errorText(id, { code: CODES.refused, message, data: facts });
}
