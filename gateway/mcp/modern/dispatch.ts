import type { Caller as UpstreamCaller } from '../../upstream/isolation.ts';
import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Principal } from '../../identity/principal.ts';
import type { LookAside } from '../../pipeline/asides.ts';
import {
  newFacts,
  type ApprovalTalk,
  type Call,
  type Outcome,
  type Pipeline,
  type Progress,
} from '../../pipeline/call.ts';
import type { Catalog } from '../../registry/catalog.ts';
import { eraOf } from '../../upstream/connection.ts';
import { UnavailableError } from '../../upstream/errors.ts';
import { LISTS, progressToken, takeAim, withoutProgressToken, type Aim } from '../aim.ts';
import { CODES, errorText, resultText, type RpcError } from '../jsonrpc.ts';
import type { ModernSession } from '../modern-session.ts';
import { approvalAnswer, approvalQuestion, fillsForms } from '../approval.ts';
import { opensAddresses, signInQuestion } from '../consent.ts';
import { refusalFacts } from '../refusal.ts';
import { canBeAsked, watched, type Route } from '../relay.ts';
import type { ListMethod, Scope, View, Views } from '../scope.ts';
import { ownServer, type OwnerOf } from './owner.ts';
import { PARKED_MS, type Round, type ParkedCall, type Parking } from './parking.ts';
import { cacheable, complete, offers, type Payloads } from './payloads.ts';
import type { ConnectionPool, Owner, PooledConnection } from './pool.ts';
import type { Binding, RequestStates, StateContent } from './request-state.ts';
import {
  createArgumentHeaderCheck,
  LOG_LEVELS,
  methodNotFound,
  MODERN_CODES,
  type ModernRequest,
  type StatusError,
} from './request.ts';
import { NOWHERE, talkOwn, type Talk } from './talk.ts';

/** A modern request on its way, with what its transport offers. */
export interface ModernExchange {
  readonly principal: Principal;
  readonly scope: Scope;
  /** The address as it was called. */
  readonly path: string;
  readonly request: ModernRequest;
  readonly headers: IncomingHttpHeaders;
  readonly traceId: string;
  /** The size of the request's body. */
  readonly requestBytes: number;
  /** What the caller says of the call beside the call itself. */
  readonly words: Pick<Call, 'metadata' | 'fresh'>;
  /** Aborted when the client closes the exchange, which cancels the call. */
  readonly signal: AbortSignal;
  /** Takes the notifications that come before the answer. */
  readonly notify: (method: string, params: JsonObject) => void;
}

/** An answer as text, with its HTTP status and how much of its time was the upstream's. */
export interface ModernAnswer {
  readonly status: number;
  readonly text: string;
  readonly upstreamMs: number;
}

/** Answers one modern request, `subscriptions/listen` excepted. Never rejects: every failure is an answer. */
export type ModernDispatch = (exchange: ModernExchange) => Promise<ModernAnswer>;

export interface ModernDispatchDeps {
  readonly views: Views;
  readonly catalog: Catalog;
  readonly pipeline: Pipeline;
  /** Shows guardrails what a server says beside the results of calls. */
  readonly lookAside: LookAside;
  /** The shared connection to a modern server, with what the server says on the way. */
  readonly modernSession: (
    serverId: string,
    announce: Route['announce'],
    caller: UpstreamCaller,
  ) => ModernSession;
  readonly pool: ConnectionPool;
  readonly parking: Parking;
  readonly states: RequestStates;
  readonly payloads: (view: View) => Payloads;
  readonly ownerOf: OwnerOf;
  readonly now: () => number;
}

/** For how long the state of a server is handed back to it. What it makes of its age is its own affair. */
const UPSTREAM_STATE_MS = 24 * 60 * 60_000;
const NOT_OPEN: StatusError = {
  status: 200,
  code: CODES.refused,
  message: 'this address is not open to you any more',
};
const BAD_STATE: StatusError = {
  status: 200,
  code: CODES.invalidParams,
  message:
    'requestState does not belong to this request: it was altered or used, has expired, or is of another request ' +
    'or caller; start again without it',
};

/** The methods of the modern era's server side (MCP 2026-07-28). */
export function createModernDispatch(deps: ModernDispatchDeps): ModernDispatch {
  const { views, catalog, payloads } = deps;
  const checkArgumentHeaders = createArgumentHeaderCheck();
  return async (exchange) => {
    const { request, principal, scope } = exchange;
    const { method, params, envelope } = request;
    const settle = (afresh: boolean): Promise<void> =>
      catalog.settled(views(principal, scope)?.entries.map(({ id }) => id) ?? [], { afresh });
    const list = LISTS.has(method);
    if (list || method === 'server/discover' || scope.discovery === true) await settle(false);

    const own = ownServer(exchange);
    const owner = own === undefined ? undefined : deps.ownerOf(exchange, own, envelope.clientCapabilities);
    let offered: Awaited<ReturnType<PooledConnection['offered']>>;
    if (owner !== undefined && canBeAsked(envelope.clientCapabilities) && method !== 'server/discover') {
      const pooled = taken(() => deps.pool.first(owner));
      if ('code' in pooled) return failed(exchange, pooled);
      offered = await pooled.offered();
    }
    const view = (): View | undefined => views(principal, scope, offered);
    const first = view();
    if (first === undefined) return failed(exchange, NOT_OPEN);
    const { discover, capabilities, page } = payloads(first);
    if (method === 'server/discover') return done(exchange, discover);
    if (!offers(capabilities, method)) return failed(exchange, methodNotFound(method));
    if (list) {
      const text = page(method as ListMethod, params['cursor']);
      if (text !== undefined) return done(exchange, text);
      return failed(exchange, invalid('cursor is none of this list; start again without it'));
    }
    let aim = takeAim(first, method, params);
    if (aim === undefined || (typeof aim === 'object' && 'code' in aim)) {
      // What a server that is still starting offers is not known yet; a call of a known tool never waits here.
      await settle(true);
      const later = view();
      if (later !== undefined) aim = takeAim(later, method, params);
    }
    if (aim === undefined) return failed(exchange, methodNotFound(method));
    if (typeof aim === 'string')
      return done(exchange, JSON.stringify(complete(JSON.parse(aim) as JsonObject)));
    if ('code' in aim) return failed(exchange, inBand(aim));
    if (aim.target.kind === 'tool' && scope.discovery !== true) {
      const fault = checkArgumentHeaders((view() ?? first).tools, params, exchange.headers);
      if (fault !== undefined) return failed(exchange, fault);
    }
    return callThrough(deps, exchange, aim, owner);
  };
}

/** The state a retry came with; undefined when it is no retry. */
function readState(
  deps: ModernDispatchDeps,
  params: JsonObject,
  binding: Binding,
): StateContent | StatusError | undefined {
  const { inputResponses, requestState } = params;
  const responses = isJsonObject(inputResponses) ? Object.values(inputResponses) : [inputResponses];
  if (inputResponses !== undefined && !responses.every(isJsonObject))
    return invalid('inputResponses must be an object whose values are objects');
  if (requestState === undefined) return undefined;
  return deps.states.open(requestState, binding) ?? BAD_STATE;
}

async function callThrough(
  deps: ModernDispatchDeps,
  exchange: ModernExchange,
  aim: Aim,
  owner: Owner | undefined,
): Promise<ModernAnswer> {
  const { principal, path, request, traceId, requestBytes, signal, notify } = exchange;
  const { envelope } = request;
  const binding: Binding = {
    tokenId: principal.tokenId,
    path,
    method: request.method,
    params: request.params,
  };
  const state = readState(deps, request.params, binding);
  if (state !== undefined && 'code' in state) return failed(exchange, state);
  let resumed: ParkedCall | undefined;
  if (state !== undefined && 'parked' in state) {
    resumed = deps.parking.find(state.parked, state.round, principal.tokenId);
    if (resumed === undefined) return failed(exchange, BAD_STATE);
  }
  const signingIn = state !== undefined && 'consent' in state;
  const logs = logsFor(envelope.logLevel, notify);
  const talk = taken(() => talkFor(deps, aim, owner, exchange, logs, resumed));
  if (talk !== undefined && 'code' in talk) return failed(exchange, talk);

  const token = progressToken(request.params);
  const onProgress = (progress: Progress): void =>
    notify('notifications/progress', { progressToken: token, ...progress });
  const call: Call = {
    traceId,
    source: 'mcp',
    principal,
    target: aim.target,
    page: aim.page,
    params: withUpstreamState(withoutProgressToken(aim.params), state),
    signal,
    // The client was told on its first try, and comes back when the person has answered.
    ...(signingIn && { onConsent: () => Promise.resolve(accepted(request.params)) }),
    ...(fillsForms(envelope.clientCapabilities) && {
      approvalTalk: { patient: false, ask: answerOf(request.params, state) },
    }),
    ...(token !== undefined && { onProgress }),
    own: talk?.own,
    envelope,
    ...exchange.words,
    facts: {
      ...newFacts(requestBytes),
      // Each round of a parked call is taken up once, so that one approval is still good for one call.
      approval: state !== undefined && 'parked' in state ? state.approved : null,
    },
  };
  const outcome = await deps.pipeline.run(call);
  talk?.end();
  const { upstreamMs } = call.facts;
  const consent = outcome.ok || signingIn ? undefined : outcome.refusal.consent;
  if (consent !== undefined && opensAddresses(envelope.clientCapabilities)) {
    const requestState = deps.states.seal({ consent: consent.id }, binding, consent.expiresAt);
    const inputRequests = { [SIGN_IN]: signInQuestion(consent) };
    const asked = JSON.stringify({ resultType: 'input_required', inputRequests, requestState });
    return { status: 200, text: resultText(request.id, asked), upstreamMs };
  }
  const approval = outcome.ok ? undefined : outcome.refusal.approval;
  if (approval?.own === true && fillsForms(envelope.clientCapabilities)) {
    const requestState = deps.states.seal({ approval: approval.id }, binding, approval.expiresAt);
    const inputRequests = { [APPROVAL]: approvalQuestion(approval) };
    const asked = JSON.stringify({ resultType: 'input_required', inputRequests, requestState });
    return { status: 200, text: resultText(request.id, asked), upstreamMs };
  }
  if (!outcome.ok) return { ...failed(exchange, refusalError(outcome.refusal, aim)), upstreamMs };
  const result = finish(deps, binding, outcome.result, call.facts.approval, talk?.parked());
  return { status: 200, text: resultText(request.id, JSON.stringify(result)), upstreamMs };
}

/** The connection a call takes, where it is not simply the shared one. */
function talkFor(
  deps: ModernDispatchDeps,
  { target }: Aim,
  owner: Owner | undefined,
  { request: { envelope }, principal }: ModernExchange,
  notify: Round['notify'],
  resumed: ParkedCall | undefined,
): Talk | undefined {
  const logs = envelope.logLevel !== undefined;
  if (owner !== undefined && (canBeAsked(envelope.clientCapabilities) || logs || deps.pool.followed(owner))) {
    const pooled = (resumed && deps.pool.carrier(resumed)) ?? deps.pool.forCall(owner);
    return talkOwn(deps.parking, pooled, owner, envelope, notify, resumed);
  }
  const version = deps.catalog.entry(target.serverId)?.status.protocolVersion;
  if (!logs || eraOf(version) === 'legacy') return undefined;
  // A server of the modern era asks nothing on the way.
  const route = watched({ ...NOWHERE, deliver: notify }, () => deps.lookAside(principal, target.serverId));
  const own = deps.modernSession(target.serverId, () => undefined, principal).during(route);
  return { own, parked: () => undefined, end: () => undefined };
}

/** What of a server's notifications the client of one exchange gets: log messages only as severe as it asked for. */
function logsFor(level: string | undefined, notify: Round['notify']): Round['notify'] {
  const least = LOG_LEVELS.indexOf(level);
  return (method, params) => {
    if (method !== 'notifications/message') return;
    if (least >= 0 && LOG_LEVELS.indexOf(params['level']) >= least) notify(method, params);
  };
}

/** The keys of the gateway's own questions among those of servers. */
const SIGN_IN = 'toolgate-sign-in';
const APPROVAL = 'toolgate-approval';

/** The person's word, which comes with another try; the first one only finds out that it is wanted. */
function answerOf(
  { inputResponses }: JsonObject,
  state: StateContent | undefined,
): NonNullable<ApprovalTalk['ask']> {
  return ({ id }) => {
    if (state === undefined || !('approval' in state) || state.approval !== id) return 'later';
    return Promise.resolve(
      approvalAnswer(isJsonObject(inputResponses) ? inputResponses[APPROVAL] : undefined),
    );
  };
}

function accepted({ inputResponses }: JsonObject): boolean {
  const answer = isJsonObject(inputResponses) ? inputResponses[SIGN_IN] : undefined;
  return isJsonObject(answer) && answer['action'] === 'accept';
}

function withUpstreamState(params: JsonObject, state: StateContent | undefined): JsonObject {
  if (state !== undefined && ('consent' in state || 'approval' in state)) {
    const { inputResponses: _answered, requestState: _used, ...first } = params;
    return first;
  }
  return state !== undefined && 'upstream' in state ? { ...params, requestState: state.upstream } : params;
}

/** The result as a modern client gets it. The state of a server goes out sealed, for it is of one caller only. */
function finish(
  { states, now }: ModernDispatchDeps,
  binding: Binding,
  result: JsonObject,
  approved: string | null,
  parked: ParkedCall | undefined,
): JsonObject {
  if (result['resultType'] !== 'input_required')
    return binding.method === 'resources/read' ? cacheable(complete(result)) : complete(result);
  if (parked !== undefined) {
    const content = { parked: parked.id, round: parked.rounds, approved };
    return { ...result, requestState: states.seal(content, binding, now() + PARKED_MS) };
  }
  const { requestState } = result;
  if (typeof requestState !== 'string') return result;
  const sealed = states.seal({ upstream: requestState }, binding, now() + UPSTREAM_STATE_MS);
  return { ...result, requestState: sealed };
}

/**
 * Refusals that a model can act on come as tool errors (MCP 2026-07-28, Tools, Error Handling); the rest as
 * JSON-RPC errors. An upstream's own error passes through, but for the code that resources had in the legacy era.
 */
function refusalError(
  refusal: Exclude<Outcome, { ok: true }>['refusal'],
  { target }: Aim,
): StatusError | { readonly result: JsonObject } {
  const { reason, message, upstreamError } = refusal;
  const missing = reason === 'not-found' || upstreamError?.code === CODES.resourceNotFound;
  if (target.kind === 'resource' && missing)
    return { ...invalid('Resource not found'), data: { uri: target.name } };
  if (upstreamError) {
    const status = upstreamError.code === MODERN_CODES.missingCapability ? 400 : 200;
    return { status, ...upstreamError };
  }
  if (reason === 'not-found') return invalid(`Unknown ${target.kind}: ${target.name}`);
  const facts = refusalFacts(refusal);
  if (target.kind === 'tool' && reason !== 'unauthenticated' && reason !== 'cancelled') {
    const content = [{ type: 'text', text: message }];
    return { result: complete({ content, isError: true, _meta: { 'toolgate/refusal': facts } }) };
  }
  return { status: 200, code: CODES.refused, message, data: facts };
}

function done({ request }: ModernExchange, result: string): ModernAnswer {
  return { status: 200, text: resultText(request.id, result), upstreamMs: 0 };
}

function failed(
  { request }: ModernExchange,
  failure: StatusError | { readonly result: JsonObject },
): ModernAnswer {
  if ('result' in failure)
    return { status: 200, text: resultText(request.id, JSON.stringify(failure.result)), upstreamMs: 0 };
  const { status, ...error } = failure;
  return { status, text: errorText(request.id, error), upstreamMs: 0 };
}

function invalid(message: string): StatusError {
  return { status: 200, code: CODES.invalidParams, message };
}

/** An error as the modern era has it. */
function inBand(error: RpcError): StatusError {
  return {
    status: 200,
    ...error,
    ...(error.code === CODES.resourceNotFound && { code: CODES.invalidParams }),
  };
}

/** Turns what a full pool throws into an error to answer. */
function taken<T>(take: () => T): T | StatusError {
  try {
    return take();
  } catch (error) {
    if (error instanceof UnavailableError)
      return { status: 200, code: CODES.refused, message: error.message };
    throw error;
  }
}
