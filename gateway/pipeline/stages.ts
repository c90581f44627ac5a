import type { CallFacts, Decide } from '../access/decide.ts';
import { isJsonObject } from '../contract/json.ts';
import type { Identity } from '../identity/identity.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ServerEntry } from '../registry/entry.ts';
import { toSent } from '../registry/shape.ts';
import { quarantineReason } from '../registry/pins.ts';
import type { ActivityStore } from '../storage/contracts.ts';
import {
  ConsentNeededError,
  CredentialsMissingError,
  describeError,
  HttpStatusError,
  JsonRpcError,
  UnavailableError,
} from '../upstream/errors.ts';
import type { Caller } from '../upstream/isolation.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { ArgumentValidator } from './arguments.ts';
import type { Call, Fault, Next, Outcome, Refusal, Requests, Stage } from './call.ts';
import { toRecord } from './record.ts';
import { refuse } from './refuse.ts';
import { heldToolOf, isForHeldPrompt, serverOf, toolOf, wayOf, type Way } from './way.ts';

/**
 * Records what became of a call, refusals included. Outermost, so that no other stage can end a call unseen.
 */
export function recordStage(activity: ActivityStore, catalog: Catalog, now: () => number): Stage {
  return async (call, next) => {
    const startedAt = now();
    const began = performance.now();
    const outcome = await next(call);
    const durationMs = performance.now() - began;
    const fqn = (serverId: string): string => catalog.entry(serverId)?.fqn ?? serverId;
    const server = fqn(call.target.serverId);
    const behind = serverOf(call, catalog);
    const upstream = behind === call.target.serverId ? null : fqn(behind);
    activity.append(toRecord(call, outcome, { startedAt, durationMs, server, upstream }));
    return outcome;
  };
}

/** Refuses a call whose principal was not established, or whose token has since expired or been revoked. */
export function authenticateStage(identity: Identity): Stage {
  return (call, next) => {
    if (call.principal !== undefined && identity.holds(call.principal)) return next(call);
    return refuse('unauthenticated', 'the token is missing, expired or revoked; use a valid gateway token');
  };
}

/**
 * Asks `decide()`. What is denied and what does not exist are answered alike; what waits for review is refused with
 * that reason, to those who could use it otherwise. Conditions are asked of the arguments that the server would get.
 */
export function decideStage(decide: Decide, catalog: Catalog, now: () => number): Stage {
  return (call, next) => {
    const { target, principal } = call;
    const entry = catalog.entry(target.serverId);
    const missing = `there is no ${target.kind} ${target.name}`;
    if (principal === undefined || entry === undefined) return refuse('not-found', missing);
    const held = heldToolOf(call, catalog);
    const tool = toolOf(call, catalog) ?? held;
    if (target.kind === 'tool' && tool === undefined) {
      // While a server is away before it was ever listed, its tools cannot be judged; say so to those who may know.
      const seen = decide(principal, { action: 'see', serverId: entry.id });
      if (seen.effect === 'allow' && entry.status.protocolVersion === undefined) {
        if (entry.status.lacks === 'consent') return lacksConsent(entry);
        return refuse(
          'upstream-unavailable',
          `${entry.fqn} is not available: ${entry.status.lastError ?? entry.status.state}`,
        );
      }
      return refuse('not-found', missing);
    }
    const decision = decide(principal, {
      action: 'use',
      serverId: entry.id,
      ...(tool !== undefined && { tool, call: factsOf(call, catalog, now) }),
    });
    if (decision.effect === 'deny') {
      const listed =
        tool && decide(principal, { action: 'use', serverId: entry.id, tool }).effect === 'allow';
      return listed === true
        ? refuse('forbidden', `${target.name}: ${decision.reason} (${decision.rule})`, decision.rule)
        : refuse('not-found', missing, decision.rule);
    }
    const waits = held !== undefined ? 'tool' : isForHeldPrompt(call, catalog) ? 'prompt' : undefined;
    if (waits === undefined) return next(call);
    return refuse('quarantined', quarantineReason(entry, waits, target.name, held?.own.name), 'pins');
  };
}

function factsOf(call: Call, catalog: Catalog, now: () => number): CallFacts {
  const args = wayOf(call, catalog)?.params['arguments'] ?? call.params['arguments'];
  return { args: isJsonObject(args) ? args : {}, model: call.model ?? '', at: now() };
}

/**
 * Refuses what the caller may not set, and checks what the server will get, fixed arguments and defaults included,
 * against the server's own input schema, so that an invented field never reaches it.
 */
export function validateStage(validator: ArgumentValidator, catalog: Catalog): Stage {
  return (call, next) => {
    const { target, params } = call;
    if (target.kind !== 'tool') return next(call);
    const tool = toolOf(call, catalog);
    const given = params['arguments'] ?? {};
    const sent = tool && isJsonObject(given) ? toSent(target.serverId, tool, given) : undefined;
    if (sent !== undefined && 'taken' in sent) {
      const message = `${target.name}: "${sent.taken}" is set by the gateway; leave it out`;
      return refuse('invalid-arguments', message, 'fixed-argument');
    }
    const schema = (sent?.tool ?? tool)?.own['inputSchema'];
    const problem = validator.check(schema, sent?.arguments ?? given);
    if (problem === undefined) return next(call);
    return refuse('invalid-arguments', `${target.name}: ${problem}`, 'input-schema');
  };
}

const METHODS = {
  tool: 'tools/call',
  resource: 'resources/read',
  prompt: 'prompts/get',
  completion: 'completion/complete',
  logging: 'logging/setLevel',
} as const;

/**
 * Calls the server. Innermost: nothing else in the gateway calls a server on behalf of a caller. When the call had
 * to wait for the server, `judges` look at it again: what was decided by the server's last known catalog might not
 * hold for what it offers now.
 */
export function upstreamStage(upstreams: Upstreams, catalog: Catalog, judges: readonly Stage[] = []): Stage {
  return async (call) => {
    const began = performance.now();
    let sent = false;
    try {
      const way = wayOf(call, catalog);
      if (way === undefined) return await gone(call);
      const { own, signal } = call;
      const ready = own === undefined ? upstreams.connected(way.serverId, callerOf(call)) : own.ready();
      if (!(ready instanceof Promise)) {
        sent = true;
        return await send(ready, call, way);
      }
      const connection = await withSignal(ready, signal);
      const last: Next = (judged) => {
        sent = true;
        const now = wayOf(judged, catalog);
        // A virtual server's tool may by now be another server's than the one that was waited for.
        return now?.serverId === way.serverId ? send(connection, judged, now) : gone(judged);
      };
      return await judges.reduceRight<Next>((next, judge) => (judged) => judge(judged, next), last)(call);
    } catch (error) {
      return { ok: false, refusal: explain(error, call, sent) };
    } finally {
      call.facts.upstreamMs += performance.now() - began;
    }
  };
}

function callerOf({ principal, session }: Call): Caller | undefined {
  return principal && { subject: principal.subject, session };
}

async function send(connection: Requests, call: Call, { params }: Way): Promise<Outcome> {
  const { target, method = METHODS[target.kind], signal, onProgress, envelope } = call;
  const result = await connection.request(method, params, { signal, onProgress, envelope });
  // Without an envelope the server was told that this caller cannot be asked.
  if (envelope === undefined && result['resultType'] === 'input_required')
    return refuse('input-required', asksInVain(target.name, result['inputRequests']));
  return { ok: true, result };
}

function gone({ target }: Call): Promise<Outcome> {
  return refuse('not-found', `there is no ${target.kind} ${target.name}`);
}

/** What MCP lets a server ask. */
const QUESTIONS: ReadonlySet<unknown> = new Set([
  'elicitation/create',
  'sampling/createMessage',
  'roots/list',
]);

/** What to tell a caller that cannot be asked of a server that asks, in no words of the server: no guardrail sees them. */
function asksInVain(name: string, requests: unknown): string {
  const methods = isJsonObject(requests)
    ? Object.values(requests).map((one) =>
        isJsonObject(one) && QUESTIONS.has(one['method']) ? String(one['method']) : 'what MCP does not know',
      )
    : [];
  const asked = methods.length === 0 ? 'another try' : [...new Set(methods)].join(', ');
  return `${name} asks for ${asked}, which cannot be had on this way of calling it; call it with a client that can be asked`;
}

/** The server needs a capability that the caller did not declare (MCP 2026-07-28, Error Codes). */
const MISSING_CAPABILITY = -32021;

function explain(error: unknown, call: Call, sent: boolean): Refusal {
  if (call.signal.aborted) return { reason: 'cancelled', message: 'the call was cancelled' };
  if (error instanceof JsonRpcError) {
    const { code, message, data } = error;
    return {
      reason: code === MISSING_CAPABILITY ? 'input-required' : 'upstream-error',
      message,
      upstreamError: { code, message, ...(data !== undefined && { data }) },
    };
  }
  if (error instanceof ConsentNeededError) {
    const message = `${call.target.serverId}: ${error.message}`;
    return { reason: 'auth-required', message, lacksConsent: error.serverId };
  }
  if (error instanceof CredentialsMissingError)
    return { reason: 'auth-required', message: `${call.target.serverId}: ${error.message}` };
  const why = error instanceof UnavailableError ? error.message : describeError(error);
  const message = `${call.target.serverId} is not available: ${why}`;
  const fault = faultOf(error, sent);
  const { retryAfterMs } = fault;
  return {
    reason: 'upstream-unavailable',
    message,
    fault,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

function faultOf(error: unknown, sent: boolean): Fault {
  if (error instanceof HttpStatusError) {
    const { statusCode } = error;
    const other = statusCode >= 400 && statusCode < 500 && statusCode !== 408 ? 'refused' : 'status';
    const cause = STATUSES.find((status) => status === String(statusCode)) ?? other;
    // What was refused for too many requests was not worked on.
    return { cause, unsent: cause === '429', retryAfterMs: error.retryAfterMs };
  }
  const unsent = !sent || (error instanceof UnavailableError && error.unsent);
  return { cause: unsent ? 'connect' : 'lost', unsent };
}

const STATUSES = ['429', '502', '503', '504'] as const;

/** Gives up waiting when the signal aborts; what is waited for goes on. */
function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}

function lacksConsent({ id, fqn, status }: ServerEntry): Promise<Outcome> {
  const message = `${fqn}: ${status.lastError ?? 'somebody has to sign in'}`;
  return Promise.resolve({ ok: false, refusal: { reason: 'auth-required', message, lacksConsent: id } });
}
