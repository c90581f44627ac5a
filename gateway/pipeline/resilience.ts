import { setTimeout as sleep } from 'node:timers/promises';
import type { Policies } from '../access/policies.ts';
import type { PolicyFacts } from '../access/when.ts';
import {
  RESILIENCE_DEFAULTS,
  type BreakerTerms,
  type ResiliencePolicy,
  type RetryTerms,
  type ToolErrorTerms,
} from '../config/policies/resilience.ts';
import type { Catalog } from '../registry/catalog.ts';
import { WAITING_PER_PLACE } from '../resilience/bulkhead.ts';
import type { Ending } from '../resilience/breaker.ts';
import type { Resilience, ServerHealth } from '../resilience/resilience.ts';
import { pauseBefore } from '../resilience/retry-budget.ts';
import { TimedOut, type Call, type Next, type Outcome, type Refusal, type Stage } from './call.ts';
import { refuse, refused } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { serverOf, toolOf } from './way.ts';

interface Terms {
  readonly retry: RetryTerms | 'off';
  readonly breaker: BreakerTerms | 'off';
  readonly toolErrors: ToolErrorTerms | 'off';
  readonly concurrency: number;
}

const QUEUE_RETRY_MS = 1_000;

/**
 * Makes the call as the server can bear it: within the calls that may be under way, not while the circuit is open, and
 * again where that is safe. Inside of the timeout, which bounds all tries together.
 */
export function resilienceStage(resilience: Resilience, ruling: () => Ruling, catalog: Catalog): Stage {
  return async (call, next) => {
    const { policies, facts } = ruling();
    const terms = termsOf(policies.resilience, facts.call(call));
    const serverId = serverOf(call, catalog);
    const health = resilience.server(serverId);
    const errorKey = `${call.principal?.subject ?? ''} ${call.runId ?? call.session ?? ''} ${serverId} ${call.target.name}`;
    const blocked = terms.toolErrors === 'off' ? undefined : resilience.toolErrors.blocked(errorKey);
    if (blocked !== undefined) return repeated(call, blocked);
    const place = health.bulkhead.enter(terms.concurrency, call.signal);
    if (place === undefined) return full(call, terms.concurrency);
    if (place !== 'free') {
      try {
        await place;
      } catch {
        return refuse('cancelled', 'the call was cancelled');
      }
    }
    try {
      const safe = isSafe(call, terms, catalog);
      const outcome = await attempt(call, next, terms, health, safe);
      if (terms.toolErrors !== 'off') learn(resilience, errorKey, outcome, terms.toolErrors);
      return safe ? outcome : leftOpen(outcome);
    } finally {
      health.bulkhead.leave();
    }
  };
}

async function attempt(
  call: Call,
  next: Next,
  terms: Terms,
  health: ServerHealth,
  safe: boolean,
): Promise<Outcome> {
  const { retry } = terms;
  for (let tries = 1; ; tries++) {
    const outcome = await guarded(call, next, terms.breaker, health);
    // A call that was not made earns nobody another try.
    if (tries === 1 && retry !== 'off' && !isHeldBack(outcome)) health.budget.called(retry.budget);
    if (retry === 'off' || outcome.ok || tries > retry.attempts) return outcome;
    const pause = pauseFor(outcome.refusal, call, retry, safe, tries);
    if (pause === undefined || !health.budget.take()) return outcome;
    try {
      await sleep(pause, undefined, { signal: call.signal });
    } catch {
      return outcome;
    }
    // Its failure, or another's, has opened the circuit: what the server said is what the caller is told.
    if (terms.breaker !== 'off' && health.breaker.state() !== 'closed') return outcome;
    call.facts.retries += 1;
    health.retries += 1;
  }
}

/** How long to wait before another try; undefined where there must be none. */
function pauseFor(
  { fault }: Refusal,
  { own, signal }: Call,
  retry: RetryTerms,
  safe: boolean,
  tries: number,
): number | undefined {
  if (fault === undefined || signal.aborted) return undefined;
  if (!retry.on.includes(fault.cause)) return undefined;
  // What the server may have begun to ask the caller cannot be asked twice.
  if (!fault.unsent && (!safe || own !== undefined)) return undefined;
  const { retryAfterMs } = fault;
  if (retryAfterMs !== undefined) return retryAfterMs <= retry.maxPause ? retryAfterMs : undefined;
  return pauseBefore(tries, retry.pause, retry.maxPause, Math.random);
}

async function guarded(
  call: Call,
  next: Next,
  terms: BreakerTerms | 'off',
  { breaker }: ServerHealth,
): Promise<Outcome> {
  if (terms === 'off') return next(call);
  const leave = breaker.leave(terms);
  if (!leave.allowed) return open(call, leave.retryAfterMs);
  let ending: Ending = 'failed';
  try {
    const outcome = await next(call);
    ending = endingOf(outcome, call);
    return outcome;
  } finally {
    breaker.ended(leave, ending, terms);
  }
}

function isHeldBack(outcome: Outcome): boolean {
  return !outcome.ok && outcome.refusal.reason === 'circuit-open';
}

/** Only transport counts: what a caller's arguments or credentials bring about must not keep others from the server. */
function endingOf(outcome: Outcome, { signal }: Call): Ending {
  if (outcome.ok) return 'well';
  const { reason, fault } = outcome.refusal;
  if (reason === 'upstream-error') return 'well';
  if (fault !== undefined) return fault.cause === '429' || fault.cause === 'refused' ? 'neither' : 'failed';
  return signal.aborted && signal.reason instanceof TimedOut ? 'failed' : 'neither';
}

function learn(resilience: Resilience, key: string, outcome: Outcome, terms: ToolErrorTerms): void {
  const failed = outcome.ok
    ? outcome.result['isError'] === true
    : outcome.refusal.reason === 'upstream-error';
  if (failed) resilience.toolErrors.failed(key, terms);
  else if (outcome.ok) resilience.toolErrors.succeeded(key);
}

/** Whether a call may be made twice. */
function isSafe(call: Call, { retry }: Terms, catalog: Catalog): boolean {
  if (retry !== 'off' && retry.unsafe) return true;
  if (call.target.kind !== 'tool') return call.method === undefined && call.target.kind !== 'logging';
  const annotations = toolOf(call, catalog)?.annotations;
  return annotations?.readOnlyHint === true || annotations?.idempotentHint === true;
}

/** Whoever repeats a call that may write has to know that its server may have done it before it was lost. */
function leftOpen(outcome: Outcome): Outcome {
  if (outcome.ok || outcome.refusal.fault?.cause !== 'lost') return outcome;
  const message = `${outcome.refusal.message}. It may have been done before that, and was not tried again; look before you repeat it`;
  return refused({ ...outcome.refusal, message });
}

function termsOf(policies: Policies['resilience'], facts: PolicyFacts | undefined): Terms {
  if (policies.length === 0 || facts === undefined) return RESILIENCE_DEFAULTS;
  const about = policies.filter(({ applies }) => applies(facts));
  const first = <Key extends 'retry' | 'breaker' | 'toolErrors' | 'concurrency'>(
    key: Key,
  ): NonNullable<ResiliencePolicy[Key]> | undefined =>
    about.find(({ policy }) => policy[key] !== undefined)?.policy[key] ?? undefined;
  return {
    retry: first('retry') ?? RESILIENCE_DEFAULTS.retry,
    breaker: first('breaker') ?? RESILIENCE_DEFAULTS.breaker,
    toolErrors: first('toolErrors') ?? RESILIENCE_DEFAULTS.toolErrors,
    concurrency: first('concurrency') ?? RESILIENCE_DEFAULTS.concurrency,
  };
}

function repeated({ target }: Call, retryAfterMs: number): Outcome {
  const message = `${target.name} has failed for you again and again; it is not called for another ${inSeconds(retryAfterMs)}. Change the arguments, or ask a person`;
  return refused({ reason: 'rate-limited', message, rule: 'tool-errors', retryAfterMs });
}

function full({ target }: Call, limit: number): Outcome {
  const message = `${target.serverId}: ${limit} calls are under way and ${limit * WAITING_PER_PLACE} wait (resilience.concurrency); try again in a moment`;
  return refused({ reason: 'overloaded', message, rule: 'concurrency', retryAfterMs: QUEUE_RETRY_MS });
}

function open({ target }: Call, retryAfterMs: number): Outcome {
  const message = `${target.serverId} has failed too often and is left in peace; try again in ${inSeconds(retryAfterMs)}, or do without it`;
  return refused({ reason: 'circuit-open', message, rule: 'breaker', retryAfterMs });
}

function inSeconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}
