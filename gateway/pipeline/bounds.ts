import type { Policies } from '../access/policies.ts';
import { cutJson, cutText, type Room } from '../bounds/cut.ts';
import type { KeptResults } from '../bounds/kept-results.ts';
import { CHARS_PER_TOKEN, excessOf, inBytes, type Excess } from '../bounds/measure.ts';
import type { Bounds, ResultBounds } from '../config/policies/bounds.ts';
import { isJsonObject, parseJson, type JsonObject } from '../contract/json.ts';
import { READ_RESULT } from '../contract/read-result.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ArgumentValidator } from './arguments.ts';
import type { Call, Outcome, Stage } from './call.ts';
import { refuse, refused } from './refuse.ts';
import type { Ruling } from './ruling.ts';
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

const META = 'toolgate/bounds';

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
  if (!outcome.ok || outcome.result['resultType'] === 'input_required') return outcome;
  const { result } = outcome;
  const json = JSON.stringify(result);
  const over = excessOf(readable(result), rule.bounds, json);
  if (over === undefined) return outcome;
  if (rule.bounds.over === undefined || rule.bounds.over === 'block') return tooLarge(call, over, rule);
  const whole = await deps.guardWhole(call, outcome);
  if (!whole.ok) return whole;
  const made = rule.bounds.over === 'page' ? page(deps, call, whole.result, rule.bounds) : undefined;
  const shrunk = made ?? truncate(whole.result, rule.bounds, over, json.length);
  if (shrunk === undefined || !fitsSchema(deps, call, shrunk)) return tooLarge(call, over, rule);
  return { ok: true, result: shrunk };
}

function tooLarge({ target }: Call, over: Excess, { path }: Rule<ResultBounds>): Outcome {
  return refused({
    reason: 'too-large',
    message: `${target.name}: the result is ${over.words}, and was not let through; ask for less: a filter, a limit, fewer fields`,
    rule: `${path}.result.${over.bound}`,
  });
}

/** The result with the JSON in its texts read, so that lists in them are counted as lists. */
function readable(result: JsonObject): unknown {
  return { ...result, content: blocksOf(result).map((block) => jsonIn(block['text']) ?? block) };
}

function blocksOf(result: JsonObject): JsonObject[] {
  const blocks = result['content'] ?? result['contents'];
  return Array.isArray(blocks) ? blocks.filter(isJsonObject) : [];
}

function jsonIn(text: unknown): unknown {
  if (typeof text !== 'string' || !/^\s*[[{]/.test(text)) return undefined;
  const value = parseJson(text);
  return typeof value === 'object' && value !== null ? value : undefined;
}

function roomOf({ maxBytes = Infinity, maxTokens = Infinity, maxItems, maxDepth }: ResultBounds): Room {
  return {
    // What is not ASCII takes up to three bytes a character; the mark at the end has its place.
    chars: Math.max(200, Math.min(maxBytes / 1.1, maxTokens * CHARS_PER_TOKEN) - 400),
    maxItems: maxItems ?? Infinity,
    maxDepth: maxDepth ?? Infinity,
  };
}

/** Cut to the bounds, with words at the end that say so. */
function truncate(
  result: JsonObject,
  bounds: ResultBounds,
  over: Excess,
  chars: number,
): JsonObject | undefined {
  const key = Array.isArray(result['contents']) ? 'contents' : 'content';
  const structured = result['structuredContent'];
  const room = roomOf(bounds);
  const half: Room = structured === undefined ? room : { ...room, chars: room.chars / 2 };
  const content = blocksOf(result).map((block) => cutBlock(block, half));
  const words = `[Cut by Toolgate: the result is ${over.words}, and this is the beginning of it. To see the rest, ask for less at a time: a filter, a limit, fewer fields.]`;
  const last = key === 'content' ? [{ type: 'text', text: words }] : [];
  const cut = {
    ...result,
    [key]: [...content, ...last],
    ...(structured !== undefined && {
      structuredContent: cutJson(structured, { ...half, chars: room.chars / 2 }),
    }),
    _meta: { ...metaOf(result), [META]: { over: over.bound, cut: true, chars } },
  };
  return excessOf(readable(cut), bounds) === undefined ? cut : undefined;
}

function cutBlock(block: JsonObject, room: Room): JsonObject {
  const { text, data, blob } = block;
  if (typeof text === 'string') {
    const value = jsonIn(text);
    return {
      ...block,
      text: value === undefined ? cutText(text, room) : JSON.stringify(cutJson(value, room)),
    };
  }
  const bytes = [data, blob].find((one) => typeof one === 'string');
  if (typeof bytes !== 'string' || bytes.length <= room.chars) {
    room.chars -= typeof bytes === 'string' ? bytes.length : 0;
    return block;
  }
  const type = typeof block['type'] === 'string' ? block['type'] : 'resource';
  const words = `[${type} of ${inBytes(bytes.length)}, left out by Toolgate]`;
  return { type: 'text', text: words };
}

/** The first page of a result that is kept; undefined where it cannot be. */
function page(
  { kept }: BoundsStageDeps,
  call: Call,
  result: JsonObject,
  bounds: ResultBounds,
): JsonObject | undefined {
  const { principal, target, params } = call;
  if (principal === undefined || target.kind !== 'tool') return undefined;
  const pageSize = Math.floor(roomOf(bounds).chars);
  const texts = blocksOf(result).map(({ text }) => (typeof text === 'string' ? text : ''));
  const text = texts.join('\n') || JSON.stringify(result['structuredContent'] ?? result);
  const given = isJsonObject(params['arguments']) ? params['arguments'] : {};
  const { serverId, name: tool } = target;
  const reference = kept.keep({
    subject: principal.subject,
    serverId,
    tool,
    arguments: given,
    text,
    pageSize,
  });
  if (reference === undefined) return undefined;
  const structured = result['structuredContent'];
  const cut =
    structured === undefined
      ? {}
      : { structuredContent: cutJson(structured, { ...roomOf(bounds), chars: 1_000 }) };
  return {
    ...pageResult(reference, text, pageSize, 1),
    ...cut,
    ...(result['isError'] === true && { isError: true }),
  };
}

function readPage(
  { kept }: BoundsStageDeps,
  call: Call,
  wanted: NonNullable<Call['page']>,
): Promise<Outcome> {
  const { reference, page: number } = wanted;
  const result = kept.find(reference, call.principal?.subject ?? '');
  const gone = `there is no result "${reference}" of yours: it is kept for ten minutes; call the tool again`;
  if (result === undefined) return refuse('not-found', gone);
  const pages = Math.ceil(result.text.length / result.pageSize);
  if (number > pages) return refuse('invalid-arguments', `page: the result has ${pages} pages`);
  return Promise.resolve({ ok: true, result: pageResult(reference, result.text, result.pageSize, number) });
}

/** How far before the end of a page a gap between words is looked for. */
const GAP = 200;

/** Where a page ends: behind a gap where there is one close by, and never within a character. */
function pageEnd(text: string, size: number, number: number): number {
  const end = number * size;
  if (number === 0 || end >= text.length) return Math.min(end, text.length);
  const near = Math.max(end - Math.min(GAP, size - 1), 0);
  const gap = /[\s,][^\s,]*$/.exec(text.slice(near, end));
  if (gap !== null) return near + gap.index + 1;
  return /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) ? end - 1 : end;
}

function pageResult(reference: string, text: string, size: number, number: number): JsonObject {
  const pages = Math.ceil(text.length / size);
  const more =
    number < pages
      ? `The next: call ${READ_RESULT} with {"reference":"${reference}","page":${number + 1}}.`
      : 'This is the last.';
  return {
    content: [
      { type: 'text', text: text.slice(pageEnd(text, size, number - 1), pageEnd(text, size, number)) },
      { type: 'text', text: `[Page ${number} of ${pages} of a large result, kept by Toolgate. ${more}]` },
    ],
    _meta: { [META]: { reference, page: number, pages } },
  };
}

/** A result that was cut must still be what the tool declares. */
function fitsSchema({ catalog, validator }: BoundsStageDeps, call: Call, result: JsonObject): boolean {
  const schema = toolOf(call, catalog)?.own['outputSchema'];
  if (schema === undefined || result['isError'] === true) return true;
  return validator.check(schema, result['structuredContent']) === undefined;
}

function metaOf(result: JsonObject): JsonObject {
  return isJsonObject(result['_meta']) ? result['_meta'] : {};
}
