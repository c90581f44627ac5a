import { cutJson, cutText, type Room } from '../bounds/cut.ts';
import { CHARS_PER_TOKEN, excessOf, inBytes, shapeOf, type Excess, type Shape } from '../bounds/measure.ts';
import type { PageRoom } from '../bounds/pages.ts';
import type { ResultBounds } from '../config/policies/bounds.ts';
import { isJsonObject, parseJson, type JsonObject } from '../contract/json.ts';

/** Where a result says what became of it. */
export const BOUNDS_META = 'toolgate/bounds';

/** What is left of the bounds' room for what is neither text nor structured content. */
const FRAME_CHARS = 500;
/** Characters of a page where no bound says how large it may be. */
const PAGE_CHARS = 64_000;
/** A page that holds less is of no use. */
const LEAST_CHARS = 200;
const MAX_TRIES = 12;

/** The first bound that a result is over; lists in the JSON of its texts count as lists. */
export function resultExcess(result: JsonObject, bounds: ResultBounds): Excess | undefined {
  return excessOf(result, bounds, undefined, () => resultShape(result));
}

/** Of what the tool says: the frame of the protocol does not count. */
export function resultShape(result: JsonObject): Shape {
  const { content: _content, contents: _contents, structuredContent, _meta, ...rest } = result;
  const blocks = blocksOf(result);
  const shapes = [...blocks.map(textOf).map(jsonIn), structuredContent, ...Object.values(rest)].map(shapeOf);
  return {
    items: Math.max(blocks.length, ...shapes.map(({ items }) => items)),
    depth: Math.max(0, ...shapes.map(({ depth }) => depth)),
  };
}

/** Cut to the bounds, with words at the end that say so. Undefined where it cannot be. */
export function truncate(result: JsonObject, bounds: ResultBounds, over: Excess): JsonObject | undefined {
  let chars = Math.max(LEAST_CHARS, charsIn(bounds) - FRAME_CHARS);
  // How much a text takes as JSON depends on what it is made of.
  for (let tries = 0; tries < MAX_TRIES; tries++, chars *= 0.7) {
    const cut = cutTo(result, bounds, over, chars);
    if (resultExcess(cut, bounds) === undefined) return cut;
    if (chars === Infinity) return undefined;
  }
  return undefined;
}

function cutTo(result: JsonObject, bounds: ResultBounds, over: Excess, chars: number): JsonObject {
  const { maxItems = Infinity, maxDepth = Infinity } = bounds;
  const key = Array.isArray(result['contents']) ? 'contents' : 'content';
  const structured = result['structuredContent'];
  const part = structured === undefined ? chars : chars / 2;
  const room: Room = { chars: part, maxItems, maxDepth };
  const words = `[Cut by Toolgate: the result is ${over.words}, and this is the beginning of it. To see the rest, ask for less at a time: a filter, a limit, fewer fields.]`;
  const last = key === 'content' ? [{ type: 'text', text: words }] : [];
  const content: JsonObject[] = [];
  for (const block of blocksOf(result)) {
    if (content.length + last.length >= maxItems || (content.length > 0 && room.chars <= 0)) break;
    content.push(cutBlock(block, room));
    room.chars -= 30;
  }
  const meta = isJsonObject(result['_meta']) ? result['_meta'] : {};
  return {
    ...result,
    [key]: [...content, ...last],
    ...(structured !== undefined && {
      structuredContent: cutJson(structured, { chars: part, maxItems, maxDepth }),
    }),
    _meta: { ...meta, [BOUNDS_META]: { over: over.bound, cut: true, chars: JSON.stringify(result).length } },
  };
}

function cutBlock(block: JsonObject, room: Room): JsonObject {
  const { text, data, blob, resource } = block;
  if (typeof text === 'string') {
    const value = jsonIn(text);
    return {
      ...block,
      text: value === undefined ? cutText(text, room) : JSON.stringify(cutJson(value, room)),
    };
  }
  if (isJsonObject(resource) && typeof resource['text'] === 'string')
    return { ...block, resource: cutBlock(resource, room) };
  const bytes = [data, blob, isJsonObject(resource) ? resource['blob'] : undefined].find(
    (one) => typeof one === 'string',
  );
  if (typeof bytes !== 'string' || bytes.length <= room.chars) {
    room.chars -= typeof bytes === 'string' ? bytes.length : 0;
    return block;
  }
  return { type: 'text', text: leftOut(block, bytes.length) };
}

function leftOut({ type }: JsonObject, length: number): string {
  return `[${typeof type === 'string' ? type : 'resource'} of ${inBytes(length)}, left out by Toolgate]`;
}

/** All that a result says as one text, to be read in pages; what is no text is named, and left out. */
export function pagedText(result: JsonObject): string {
  const texts = blocksOf(result).map((block) => {
    const text = textOf(block);
    return typeof text === 'string' ? text : leftOut(block, JSON.stringify(block).length);
  });
  const text = texts.join('\n');
  const structured = result['structuredContent'];
  if (structured === undefined) return texts.length === 0 ? JSON.stringify(result) : text;
  // Most servers say the same as text; one that does not would have it lost.
  const json = JSON.stringify(structured);
  return json.length > 2 * text.length ? [text, json].filter((one) => one !== '').join('\n') : text;
}

/** The room that a page's text has beside structured content of so much; undefined where that is none. */
export function pageRoom(
  result: JsonObject,
  text: string,
  bounds: ResultBounds,
  structuredBytes: number,
): PageRoom | undefined {
  const { maxBytes = Infinity, maxTokens = Infinity, maxItems = Infinity } = bounds;
  const { items } = resultShape(result);
  // About as many items of a list as there may be.
  const share = items > maxItems ? Math.ceil((text.length * maxItems) / items) : Infinity;
  const frame = FRAME_CHARS + structuredBytes;
  const bytes = maxBytes - frame;
  const chars = Math.min(maxTokens * CHARS_PER_TOKEN - frame, Math.max(share, LEAST_CHARS));
  if (Math.min(bytes, chars) < LEAST_CHARS) return undefined;
  return bytes === Infinity && chars === Infinity ? { bytes, chars: PAGE_CHARS } : { bytes, chars };
}

/** The beginning of structured content that goes with the first page. */
export function pagedStructure(structured: unknown, bounds: ResultBounds): unknown {
  const { maxItems = Infinity, maxDepth = Infinity } = bounds;
  return cutJson(structured, { chars: Math.min(1_000, charsIn(bounds) / 4), maxItems, maxDepth });
}

function charsIn({ maxBytes = Infinity, maxTokens = Infinity }: ResultBounds): number {
  return Math.min(maxBytes, maxTokens * CHARS_PER_TOKEN);
}

function blocksOf(result: JsonObject): JsonObject[] {
  const blocks = result['content'] ?? result['contents'];
  return Array.isArray(blocks) ? blocks.filter(isJsonObject) : [];
}

function textOf({ text, resource }: JsonObject): unknown {
  return text ?? (isJsonObject(resource) ? resource['text'] : undefined);
}

function jsonIn(text: unknown): unknown {
  if (typeof text !== 'string' || !/^\s*[[{]/.test(text)) return undefined;
  const value = parseJson(text);
  return typeof value === 'object' && value !== null ? value : undefined;
}
