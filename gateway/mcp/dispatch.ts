import { speaksMcp } from '../config/server-kind.ts';
import { isJsonObject } from '../contract/json.ts';
import type { LookAside } from '../pipeline/asides.ts';
import {
  newFacts,
  type Call,
  type CallTarget,
  type Envelope,
  type Outcome,
  type OwnConnection,
  type Pipeline,
  type Progress,
} from '../pipeline/call.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import { eraOf } from '../upstream/connection.ts';
import type { Caller } from '../upstream/isolation.ts';
import { CODES, type Incoming, type RequestId, type RpcError, resultText, errorText } from './jsonrpc.ts';
import { LISTS, progressToken, takeAim, withoutProgressToken, type Aim } from './aim.ts';
import type { ListMethod, Views } from './scope.ts';
import type { ModernSession } from './modern-session.ts';
import { askApproval, fillsForms } from './approval.ts';
import { askToOpen, opensAddresses } from './consent.ts';
import { refusalFacts } from './refusal.ts';
import {
  askable,
  canBeAsked,
  createRelay,
  sessionRoute,
  watched,
  type Reached,
  type Route,
} from './relay.ts';
import { asksForInput, continueInRounds, type Fulfil } from './rounds.ts';
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
  /** What the caller says of the call beside the call itself. */
  readonly words: Pick<Call, 'metadata' | 'fresh'>;
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
  /** What a session sets at a modern server; `announce` takes what the server announces to it. */
  readonly modernSession: (serverId: string, announce: Route['announce'], caller: Caller) => ModernSession;
  /** Shows guardrails what a server says beside the results of calls. */
  readonly lookAside: LookAside;
  /** Whether a principal's token is still valid. */
  readonly holds: (principal: Principal) => boolean;
}): Dispatch {
  const { views, catalog, pipeline } = deps;
  /** The session's own connection, made when it is `needed`. */
  const ownConnection = (session: Session, needed: boolean): SessionConnection | undefined => {
    const { scope } = session;
    if (!needed || scope.kind !== 'server' || scope.discovery === true) return session.connection;
    // A virtual server's tools are reached at the servers behind it, and an HTTP API asks nothing.
    const config = catalog.entry(`${scope.group}:${scope.server}`)?.config;
    if (config !== undefined && !speaksMcp(config)) return undefined;
    session.connection ??= deps.connections.create(`${scope.group}:${scope.server}`, reached(session));
    return session.connection;
  };
  const reached = (session: Session): Reached => {
    const { principal, scope, capabilities } = session;
    return {
      principal,
      capabilities,
      route: sessionRoute(session, session.streams.deliver),
      waiting: session.asks.waiting,
      permitted: () => deps.holds(principal) && views(principal, scope) !== undefined,
    };
  };
  /** At the own address of a modern server: what the session has set at it. No connection of its own is needed. */
  const modernSession = (session: Session): ModernSession | undefined => {
    const { scope } = session;
    if (scope.kind !== 'server' || scope.discovery === true) return undefined;
    const id = `${scope.group}:${scope.server}`;
    if (eraOf(catalog.entry(id)?.status.protocolVersion) === 'legacy') return undefined;
    if (session.modern !== undefined) return session.modern;
    const { permitted, route } = reached(session);
    const guarded = watched(route, () => deps.lookAside(session.principal, id));
    const announce: Route['announce'] = (method, params) => {
      if (permitted()) guarded.announce(method, params);
    };
    const caller = { subject: session.principal.subject, session: session.id };
    return (session.modern = deps.modernSession(id, announce, caller));
  };
  /** A modern server says what it logs on the way; a legacy one's own connection is watched by itself. */
  const wayOut = (
    modern: ModernSession | undefined,
    session: Session,
    needed: boolean,
    send: Stream['send'],
  ): OwnConnection | undefined => {
    const route = sessionRoute(session, send);
    if (modern === undefined) return ownConnection(session, needed)?.during(route);
    return modern.during(watched(route, () => deps.lookAside(session.principal, ownId(session))));
  };
  /** Whether a session needs a connection of its own depends on an era that nobody knows yet. */
  const isUnknown = (session: Session): boolean => {
    const { scope, capabilities } = session;
    if (scope.kind !== 'server' || scope.discovery === true || !canBeAsked(capabilities)) return false;
    const entry = catalog.entry(ownId(session));
    return entry !== undefined && speaksMcp(entry.config) && entry.status.protocolVersion === undefined;
  };
  const logs = (serverId: string): boolean =>
    isJsonObject(catalog.entry(serverId)?.status.declared['logging']);
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
    if (isUnknown(session)) await deps.connections.answered(ownId(session));
    const modern = modernSession(session);
    const own = modern === undefined ? ownConnection(session, canBeAsked(session.capabilities)) : undefined;
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
    const { settles = false, target } = aim;
    return callThrough(pipeline, exchange, aim, {
      reached: () => reached(session),
      own: wayOut(modern, session, settles, exchange.stream.send),
      logLevel: modern !== undefined && logs(target.serverId) ? modern.logLevel() : undefined,
    });
  };
}

/** How a call of a session goes to its server, and a question back. */
interface Way {
  readonly reached: () => Reached;
  readonly own: OwnConnection | undefined;
  /** What a modern server is told of the log messages that the session wants. */
  readonly logLevel: string | undefined;
}

/** Who a modern server is told is asking; at discovery addresses nobody who can be asked. */
function envelopeOf(session: Session, logLevel: string | undefined): Envelope | undefined {
  if (session.scope.discovery === true) return undefined;
  session.envelope ??= {
    clientCapabilities: askable(session.capabilities),
    ...(session.clientInfo && { clientInfo: session.clientInfo }),
  };
  return logLevel === undefined ? session.envelope : { ...session.envelope, logLevel };
}

/** The server of a session at a server's own address. */
function ownId({ scope }: Session): string {
  return scope.kind === 'server' ? `${scope.group}:${scope.server}` : '';
}

async function callThrough(
  pipeline: Pipeline,
  exchange: Exchange,
  aim: Aim,
  { reached, own, logLevel }: Way,
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
    session: session.id,
    target: aim.target,
    params: withoutProgressToken(aim.params),
    signal: cancel.signal,
    ...(token !== undefined && { onProgress }),
    ...(aim.method !== undefined && { method: aim.method }),
    page: aim.page,
    own,
    envelope: envelopeOf(session, logLevel),
    ...exchange.words,
    ...(fillsForms(session.capabilities) && {
      approvalTalk: { patient: false, ask: askApproval(sessionRoute(session, stream.send)) },
    }),
    ...(opensAddresses(session.capabilities) && {
      onConsent: askToOpen(sessionRoute(session, stream.send), cancel.signal),
    }),
    facts: newFacts(exchange.requestBytes),
  };
  try {
    const first = await pipeline.run(call);
    const outcome = asksForInput(first)
      ? await continueInRounds(pipeline, call, first, fulfilBy(reached(), sessionRoute(session, stream.send)))
      : first;
    const text = answerText(request.id, outcome, aim.target);
    return { text, upstreamMs: call.facts.upstreamMs };
  } finally {
    session.inFlight.delete(request.id);
  }
}

/** Asks the client of a session, as a server of the legacy era does by itself. */
function fulfilBy(reached: Reached, route: Route): Fulfil {
  const { onRequest } = createRelay(reached, () => undefined)(route);
  return async (method, params, signal) => (await onRequest?.(method, params, signal)) ?? {};
}

/**
 * Refusals that a model can act on come as tool errors (MCP 2025-11-25, Tools, Error handling); the rest as
 * JSON-RPC errors. An upstream's own error passes through as it is.
 */
function answerText(id: RequestId, outcome: Outcome, target: CallTarget): string {
  if (outcome.ok) return resultText(id, JSON.stringify(outcome.result));
  const { reason, message, upstreamError } = outcome.refusal;
  // What a server of the modern era says of missing capabilities, a legacy client is told in words.
  if (upstreamError && reason !== 'input-required') return errorText(id, upstreamError);
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
  const facts = refusalFacts(outcome.refusal);
  if (target.kind === 'tool' && reason !== 'unauthenticated' && reason !== 'cancelled') {
    const content = [{ type: 'text', text: message }];
    return resultText(id, JSON.stringify({ content, isError: true, _meta: { 'toolgate/refusal': facts } }));
  }
  return errorText(id, { code: CODES.refused, message, data: facts });
}
