import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { askGuards, guardsBeside, guardsFor, type Guard, type GuardNote } from '../guardrails/guard.ts';
import { note, type Call, type Next, type Outcome, type Progress, type Refusal, type Stage } from './call.ts';
import { createLine } from './line.ts';
import { refuse, refused } from './refuse.ts';
import type { Ruling } from './ruling.ts';

type Facts = NonNullable<ReturnType<Ruling['facts']['call']>>;

/**
 * Shows guardrails what goes to a server and what comes back, errors and progress included. Where they change the
 * arguments, `judges` look at the call again: a change must not open what was closed.
 */
export function guardrailsStage(ruling: () => Ruling, judges: readonly Stage[]): Stage {
  return (call, next) => {
    const { guards, facts } = ruling();
    if (guards.length === 0) return next(call);
    const seen = facts.call(call);
    if (seen === undefined) return refuse('unauthenticated', 'nobody is known to make this call');
    const before = guardsFor(guards, 'toolArguments', seen);
    const after = guardsFor(guards, 'toolResult', seen);
    if (before.length === 0 && after.length === 0) return next(call);
    return guarded(call, next, seen, before, after, judges);
  };
}

async function guarded(
  call: Call,
  next: Next,
  facts: Facts,
  before: readonly Guard[],
  after: readonly Guard[],
  judges: readonly Stage[],
): Promise<Outcome> {
  const given = isJsonObject(call.params['arguments']) ? call.params['arguments'] : {};
  const { traceId } = call;
  const asked = await askGuards(before, { hook: 'toolArguments', value: given, facts, traceId });
  putDown(call, asked.notes);
  if (asked.blocked !== undefined) return blocked(call, 'the arguments', asked.blocked);
  const { inputResponses } = call.params;
  // Most calls answer nothing that their server had asked.
  const asking = inputResponses === undefined ? [] : guardsBeside(before);
  const answers = await askGuards(asking, {
    ...{ hook: 'toolArguments', value: inputResponses, facts, traceId, beside: 'inputResponses' },
  });
  putDown(call, answers.notes);
  if (answers.blocked !== undefined) return blocked(call, 'the answers', answers.blocked);
  const last: Next = async (passed) => {
    const { heard, settled } = watched(passed, guardsBeside(after), facts);
    const outcome = await next(heard);
    await settled();
    return check(passed, outcome, after, facts);
  };
  if (asked.value === given && answers.value === inputResponses) return last(call);
  const changed: Call = {
    ...call,
    params: {
      ...call.params,
      ...(asked.value !== given && { arguments: asked.value }),
      ...(answers.value !== inputResponses && { inputResponses: answers.value }),
    },
  };
  return judges.reduceRight<Next>((inner, judge) => (judged) => judge(judged, inner), last)(changed);
}

/**
 * What of a result is cut or kept in pieces has been looked at as a whole before, since a piece shows only half of what
 * a cut goes through. Left out are guards that only watch, and services that do not take as much: they see the pieces.
 */
export function guardWhole(ruling: () => Ruling): (call: Call, outcome: Outcome) => Promise<Outcome> {
  return async (call, outcome) => {
    const { guards, facts } = ruling();
    const seen = guards.length === 0 ? undefined : facts.call(call);
    if (seen === undefined) return outcome;
    const about = guardsFor(guards, 'toolResult', seen).filter(({ mode }) => mode !== 'audit');
    if (about.every(({ most }) => most === Infinity)) return check(call, outcome, about, seen);
    const chars = outcome.ok ? JSON.stringify(outcome.result).length : 0;
    return check(
      call,
      outcome,
      about.filter(({ most }) => chars <= most),
      seen,
    );
  };
}

async function check(call: Call, outcome: Outcome, after: readonly Guard[], facts: Facts): Promise<Outcome> {
  if (after.length === 0) return outcome;
  const value = outcome.ok ? outcome.result : wordsOf(outcome.refusal);
  if (value === undefined) return outcome;
  const asked = await askGuards(after, { hook: 'toolResult', value, facts, traceId: call.traceId });
  putDown(call, asked.notes);
  if (asked.blocked !== undefined) return blocked(call, 'the result', asked.blocked);
  if (asked.value === value) return outcome;
  const changed = asked.value as JsonObject;
  return outcome.ok ? { ok: true, result: changed } : refused({ ...outcome.refusal, ...changed });
}

/** What of a refusal are a server's own words. */
function wordsOf({ reason, message, upstreamError }: Refusal): JsonObject | undefined {
  if (upstreamError === undefined && reason !== 'upstream-unavailable') return undefined;
  return { message, ...(upstreamError !== undefined && { upstreamError }) };
}

/**
 * Progress tells in words what a result would tell: words that are refused are left out of it. It keeps its order, and
 * `settled` waits for it. More than may wait is left out.
 */
function watched(
  call: Call,
  after: readonly Guard[],
  facts: Facts,
): { readonly heard: Call; readonly settled: () => Promise<void> | undefined } {
  const { onProgress, traceId } = call;
  if (onProgress === undefined || after.length === 0) return { heard: call, settled: () => undefined };
  const line = createLine();
  const tell = async ({ message, ...progress }: Progress): Promise<void> => {
    if (message === undefined) {
      onProgress(progress);
      return;
    }
    const beside = 'notifications/progress';
    const asked = await askGuards(after, { hook: 'toolResult', value: message, facts, traceId, beside });
    onProgress(asked.blocked === undefined ? { ...progress, message: String(asked.value) } : progress);
  };
  return {
    heard: { ...call, onProgress: (progress) => void line.push(() => tell(progress)) },
    settled: () => line.settled(),
  };
}

function putDown(call: Call, notes: readonly GuardNote[]): void {
  for (const one of notes) note(call, one);
}

function blocked(
  { target }: Call,
  what: string,
  { rule, message }: { readonly rule: string; readonly message: string },
): Outcome {
  return refused({ reason: 'blocked', message: `${target.name}: ${what} did not pass: ${message}`, rule });
}
