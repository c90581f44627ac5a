import type { Policies } from '../access/policies.ts';
import type { KeptResults } from '../bounds/kept-results.ts';
import { excessOf, type Excess } from '../bounds/measure.ts';
import { pageEnds, pageOf } from '../bounds/pages.ts';
import type { Bounds, ResultBounds } from '../config/policies/bounds.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { READ_RESULT } from '../contract/read-result.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ArgumentValidator } from './arguments.ts';
import type { Call, Outcome, Stage } from './call.ts';
import { refuse, refused, wordsOf } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { BOUNDS_META, pagedStructure, pagedText, pageRoom, resultExcess, truncate } from './shrink.ts';
import { toolOf } from './way.ts';

export interface BoundsStageDeps {
  readonly ruling: () => Ruling;
  readonly kept: KeptResults;
  readonly catalog: Catalog;
  readonly validator: ArgumentValidator;
  /** Shows guardrails a result that will be cut. */
  readonly guardWhole: (call: Call, outcome: Outcome) => Promise<Outcome>;
}

interface Rule<Found> {
  readonly bounds: Found;
  readonly path: string;
}

/** Refuses arguments that are too large, and cuts or keeps results that are. Answers pages of those that were kept. */
export function boundsStage(deps: BoundsStageDeps): Stage {
  return (call, next) => {
    if (call.page !== undefined) return readPage(deps, call, call.page);
    const { policies, facts } = deps.ruling();
    if (policies.bounds.length === 0) return next(call);
    const seen = facts.call(call);
    const about = seen === undefined ? [] : policies.bounds.filter(({ applies }) => applies(seen));
    if (about.length === 0) return next(call);
    const given = gather<Bounds>(about, 'arguments');
    const over = given && excessOf(call.params['arguments'] ?? {}, given.bounds);
    if (given !== undefined && over !== undefined)
      return refuse(
        'too-large',
        `${call.target.name}: the arguments are ${over.words}; make them smaller`,
        `${given.path}.arguments.${over.bound}`,
      );
    const result = gather<ResultBounds>(about, 'result');
    return result === undefined ? next(call) : bounded(deps, call, next, result);
  };
}

/** Of several policies the first that sets a key counts. */
function gather<Found extends Bounds>(
  about: Policies['bounds'],
  part: 'arguments' | 'result',
): Rule<Found> | undefined {
  const [first] = about.filter(({ policy }) => Object.keys(policy[part]).length > 0);
  if (first === undefined) return undefined;
  const bounds = Object.assign({}, ...about.map(({ policy }) => policy[part]).reverse()) as Found;
  return { bounds, path: first.path };
}

async function bounded(
  deps: BoundsStageDeps,
  call: Call,
  next: Parameters<Stage>[1],
  rule: Rule<ResultBounds>,
): Promise<Outcome> {
  const outcome = await next(call);
  if (!outcome.ok) return boundedError(call, outcome, rule);
  if (outcome.result['resultType'] === 'input_required') return outcome;
  const { result } = outcome;
  const over = resultExcess(result, rule.bounds);
  if (over === undefined) return outcome;
  const { over: what = 'block' } = rule.bounds;
  if (what === 'block') return tooLarge(call, over, rule);
  const whole = await deps.guardWhole(call, outcome);
  if (!whole.ok) return whole;
  if (what === 'page') {
    const first = page(deps, call, whole.result, rule.bounds);
    if (first !== undefined) return { ok: true, result: first };
  }
  const cut = truncate(whole.result, rule.bounds, over);
  if (cut === undefined || !fitsSchema(deps, call, cut)) return tooLarge(call, over, rule);
  return { ok: true, result: cut };
}

/** What a server says in an error is bounded as what it answers is; of one that is too large nothing is of use. */
function boundedError(call: Call, outcome: Outcome & { ok: false }, rule: Rule<ResultBounds>): Outcome {
  const said = wordsOf(outcome.refusal);
  const over = said && excessOf(said, rule.bounds);
  return over === undefined ? outcome : tooLarge(call, over, rule, 'error');
}

function tooLarge({ target }: Call, over: Excess, { path }: Rule<ResultBounds>, what = 'result'): Outcome {
  return refused({
    reason: 'too-large',
    message: `${target.name}: the ${what} is ${over.words}, and was not let through; ask for less: a filter, a limit, fewer fields`,
    rule: `${path}.result.${over.bound}`,
  });
}

/** The first page of a result that is kept; undefined where it cannot be. */
function page(
  deps: BoundsStageDeps,
  call: Call,
  result: JsonObject,
  bounds: ResultBounds,
): JsonObject | undefined {
  const { principal, target, params } = call;
  if (principal === undefined || target.kind !== 'tool') return undefined;
  const structured = result['structuredContent'];
  const beside: JsonObject = {
    ...(structured !== undefined && { structuredContent: pagedStructure(structured, bounds) }),
    ...(result['isError'] === true && { isError: true }),
  };
  if (!fitsSchema(deps, call, { ...result, ...beside })) return undefined;
  const text = pagedText(result);
  const room = pageRoom(result, text, bounds, Buffer.byteLength(JSON.stringify(beside)));
  const ends = room && pageEnds(text, room);
  // What is one page by its length is over another bound.
  if (ends === undefined || ends.length === 1) return undefined;
  const given = isJsonObject(params['arguments']) ? params['arguments'] : {};
  const { serverId, name: tool } = target;
  const { subject } = principal;
  const reference = deps.kept.keep({ subject, serverId, tool, arguments: given, text, ends });
  return reference === undefined ? undefined : { ...pageResult(reference, text, ends, 1), ...beside };
}

function readPage(
  { kept }: BoundsStageDeps,
  call: Call,
  wanted: NonNullable<Call['page']>,
): Promise<Outcome> {
  const { reference, page: number } = wanted;
  const result = kept.find(reference, call.principal?.subject ?? '');
  const gone = `there is no result "${reference}" of yours: it is kept for ten minutes; call the tool again`;
  const { serverId, name } = call.target;
  // What was decided of the call holds for the tool it names, and for no other's result.
  if (result?.serverId !== serverId || result.tool !== name) return refuse('not-found', gone);
  const { text, ends } = result;
  if (number > ends.length) return refuse('invalid-arguments', `page: the result has ${ends.length} pages`);
  return Promise.resolve({ ok: true, result: pageResult(reference, text, ends, number) });
}

function pageResult(reference: string, text: string, ends: readonly number[], number: number): JsonObject {
  const pages = ends.length;
  const more =
    number < pages
      ? `The next: call ${READ_RESULT} with {"reference":"${reference}","page":${number + 1}}.`
      : 'This is the last.';
  return {
    content: [
      { type: 'text', text: pageOf(text, ends, number) },
      { type: 'text', text: `[Page ${number} of ${pages} of a large result, kept by Toolgate. ${more}]` },
    ],
    _meta: { [BOUNDS_META]: { reference, page: number, pages } },
  };
}

/** A result that was cut must still be what the tool declares. */
function fitsSchema({ catalog, validator }: BoundsStageDeps, call: Call, result: JsonObject): boolean {
  const schema = toolOf(call, catalog)?.own['outputSchema'];
  if (schema === undefined || result['isError'] === true) return true;
  return validator.check(schema, result['structuredContent']) === undefined;
}
