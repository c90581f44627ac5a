import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Call, CallTarget, Outcome, OwnConnection, Pipeline, Progress } from '../pipeline/call.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import { CODES, type Incoming, type RequestId, type RpcError, resultText, errorText } from './jsonrpc.ts';
import type { ListMethod, Target, View, Views } from './scope.ts';
import { canBeAsked } from './relay.ts';
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

const LISTS: ReadonlySet<string> = new Set<ListMethod>([
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
]);

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
    const permitted = (): boolean => deps.holds(principal) && views(principal, scope) !== undefined;
    session.connection ??= deps.connections.create(`${scope.group}:${scope.server}`, {
      ...session,
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
      ownConnection(session, aim.settles === true)?.during(exchange.stream),
    );
  };
}

interface Aim {
  readonly target: CallTarget;
  readonly params: JsonObject;
  readonly method?: Call['method'];
  /** It sets something for the session at its server, and so needs a connection of the session's own. */
  readonly settles?: boolean;
}

/** Finds what a request is for, and turns its names into those the server knows; text is the answer itself. */
function takeAim(view: View, method: string, params: JsonObject): Aim | RpcError | string | undefined {
  switch (method) {
    case 'tools/call': {
      const asked = view.discover?.(params) ?? { params };
      if ('result' in asked) return JSON.stringify(asked.result);
      return 'code' in asked ? asked : aimTool(view, asked.params);
    }
    case 'prompts/get': {
      const target = view.prompt(String(params['name']));
      if (!target) return { code: CODES.invalidParams, message: `Unknown prompt: ${String(params['name'])}` };
      return { target: { ...target, kind: 'prompt' }, params: { ...params, name: target.name } };
    }
    case 'resources/read': {
      const uri = String(params['uri']);
      const target = view.resource(uri);
      if (!target) return { code: CODES.resourceNotFound, message: 'Resource not found', data: { uri } };
      return { target: { ...target, kind: 'resource' }, params: { ...params, uri } };
    }
    case 'completion/complete':
      return aimCompletion(view, params);
    case 'logging/setLevel':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return aimSetting(view, method, params);
    default:
      return undefined;
  }
}

/** What a session can set at a server's own address; aggregates and discovery do not offer it. */
function aimSetting(
  view: View,
  method: 'logging/setLevel' | 'resources/subscribe' | 'resources/unsubscribe',
  params: JsonObject,
): Aim | RpcError | undefined {
  if (view.own === undefined || view.discover !== undefined) return undefined;
  const { id: serverId, status } = view.own;
  if (method === 'logging/setLevel') {
    if (!isJsonObject(status.declared['logging'])) return undefined;
    return { target: { serverId, kind: 'logging', name: String(params['level']) }, params, settles: true };
  }
  const { resources } = status.declared;
  if (!isJsonObject(resources) || resources['subscribe'] !== true) return undefined;
  return {
    target: { serverId, kind: 'resource', name: String(params['uri']) },
    params,
    method,
    settles: true,
  };
}

function aimTool(view: View, params: JsonObject): Aim | RpcError {
  const target = view.tool(String(params['name']));
  if (!target) return { code: CODES.invalidParams, message: `Unknown tool: ${String(params['name'])}` };
  if (params['arguments'] !== undefined && !isJsonObject(params['arguments'])) {
    return { code: CODES.invalidParams, message: 'arguments must be an object' };
  }
  return { target: { ...target, kind: 'tool' }, params: { ...params, name: target.name } };
}

function aimCompletion(view: View, params: JsonObject): Aim | RpcError {
  const ref = isJsonObject(params['ref']) ? params['ref'] : {};
  const prompt = ref['type'] === 'ref/prompt';
  const name = String(prompt ? ref['name'] : ref['uri']);
  const target: Target | undefined = prompt ? view.prompt(name) : view.resource(name);
  if (!target)
    return { code: CODES.invalidParams, message: `Unknown ${prompt ? 'prompt' : 'resource'}: ${name}` };
  const renamed = prompt ? { ...ref, name: target.name } : ref;
  return { target: { ...target, kind: 'completion' }, params: { ...params, ref: renamed } };
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

/** The client's own token for progress of a request, when it asked for progress. */
function progressToken(params: JsonObject): unknown {
  return isJsonObject(params['_meta']) ? params['_meta']['progressToken'] : undefined;
}

function withoutProgressToken(params: JsonObject): JsonObject {
  if (progressToken(params) === undefined) return params;
  const { progressToken: _token, ...meta } = params['_meta'] as JsonObject;
  return { ...params, _meta: meta };
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
