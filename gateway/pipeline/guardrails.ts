import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Catalog } from '../registry/catalog.ts';
import {
  askGuards,
  guardsBeside,
  guardsFor,
  type Guard,
  type GuardNote,
  type Subject,
} from '../guardrails/guard.ts';
import { note, type Call, type Next, type Outcome, type Progress, type Stage } from './call.ts';
import { createLine } from './line.ts';
import { refuse, refused, wordsOf } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { wayOf } from './way.ts';

type Facts = NonNullable<ReturnType<Ruling['facts']['call']>>;

/**
 * Shows guardrails what goes to a server and what comes back, errors and progress included. Where they change the
 * arguments, `judges` look at the call again: a change must not open what was closed.
 */
export function guardrailsStage(ruling: () => Ruling, catalog: Catalog, judges: readonly Stage[]): Stage {
  return (call, next) => {
    const { guards, facts } = ruling();
    if (guards.length === 0) return next(call);
    const seen = facts.call(call);
    if (seen === undefined) return refuse('unauthenticated', 'nobody is known to make this call');
    const before = guardsFor(guards, 'toolArguments', seen);
    const after = guardsFor(guards, 'toolResult', seen);
    if (before.length === 0 && after.length === 0) return next(call);
    const sent = (args: JsonObject): JsonObject => sentOf(call, catalog, args);
    return guarded(call, next, seen, { before, after, sent, words: wordsBeside(call, catalog) }, judges);
  };
}

/** What a call says to its server in other places than arguments. */
interface Words {
  readonly beside: string;
  readonly value: unknown;
  /** The params with what guardrails made of it. */
  readonly put: (value: unknown) => JsonObject;
}

/** Most calls say nothing there. The address of a resource is its server's own word where that lists it. */
function wordsBeside(call: Call, catalog: Pick<Catalog, 'entry'>): readonly Words[] {
  const { target, params, method = 'resources/read' } = call;
  const { inputResponses, argument, context, uri } = params;
  const words: Words[] = [];
  if (inputResponses !== undefined)
    words.push({
      ...{ beside: 'inputResponses', value: inputResponses },
      put: (value) => ({ inputResponses: value }),
    });
  const members = target.kind === 'completion' ? { argument, context } : { uri };
  const unlisted = target.kind === 'resource' && !listsResource(call, catalog);
  if (target.kind === 'completion' || unlisted)
    words.push({
      beside: target.kind === 'completion' ? 'completion/complete' : method,
      value: members,
      // Of what is put in place and is no object, nothing is left.
      put: (value) =>
        Object.fromEntries(Object.keys(members).map((key) => [key, isJsonObject(value) ? value[key] : null])),
    });
  return words;
}

function listsResource({ own, target }: Call, catalog: Pick<Catalog, 'entry'>): boolean {
  const offered = own?.offered() ?? catalog.entry(target.serverId);
  return offered?.capabilities.resources.some(({ uri }) => uri === target.name) === true;
}

interface Looking {
  readonly before: readonly Guard[];
  readonly after: readonly Guard[];
  readonly sent: NonNullable<Subject['sent']>;
  readonly words: readonly Words[];
}

/** What the server would get of a tool's arguments. */
function sentOf(call: Call, catalog: Catalog, args: JsonObject): JsonObject {
  const sent = wayOf({ ...call, params: { ...call.params, arguments: args } }, catalog)?.params['arguments'];
  return isJsonObject(sent) ? sent : args;
}

async function guarded(
  call: Call,
  next: Next,
  facts: Facts,
  { before, after, sent, words }: Looking,
  judges: readonly Stage[],
): Promise<Outcome> {
  const given = isJsonObject(call.params['arguments']) ? call.params['arguments'] : {};
  const { traceId } = call;
  const asked = await askGuards(before, { hook: 'toolArguments', value: given, facts, traceId, sent });
  putDown(call, asked.notes);
  if (asked.blocked !== undefined) return blocked(call, 'the arguments', asked.blocked);
  let beside: JsonObject | undefined;
  for (const one of words) {
    const subject = { hook: 'toolArguments', value: one.value, facts, traceId, beside: one.beside } as const;
    const passed = await askGuards(guardsBeside(before), subject);
    putDown(call, passed.notes);
    if (passed.blocked !== undefined)
      return blocked(call, one.beside === 'inputResponses' ? 'the answers' : 'the request', passed.blocked);
    if (passed.value !== one.value) beside = { ...beside, ...one.put(passed.value) };
  }
  const last: Next = async (passed) => {
    const { heard, settled } = watched(passed, guardsBeside(after), facts);
    const outcome = await next(heard);
    await settled();
    return check(passed, outcome, after, facts);
  };
  if (asked.value === given && beside === undefined) return last(call);
  const changed: Call = {
    ...call,
    params: {
      ...call.params,
      ...(asked.value !== given && { arguments: asked.value }),
      ...beside,
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
