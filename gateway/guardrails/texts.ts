import type { Hook } from '../config/policies/guardrails.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';

/** Deeper values are refused: who nests them so deep wants the gateway's stack, not an answer. */
const DEEPEST = 1_000;

/** What of a value is looked at besides its strings and keys. */
export interface Wanted {
  /** Numbers from so many characters on, as they are written. */
  readonly numbers: number;
  readonly hook: Hook;
  /** Whether a text is looked at together with the name of the member that holds it: `password = "…"`. */
  readonly named?: ((name: string) => boolean) | undefined;
  /** Of the messages to a model those that tools have answered, and no others. */
  readonly onlyTools: boolean;
}

/**
 * Names that MCP and the models' dialects have for parts of results and messages. Nobody says anything with them, and
 * a pattern must not change them; in arguments, and within structured content, a key is the caller's or server's word.
 */
const OF_PROTOCOL: ReadonlySet<string> = new Set(
  (
    'content contents structuredContent isError resultType _meta type text data blob mimeType uri name title description ' +
    'resource annotations audience priority lastModified size icons messages message upstreamError code role id function ' +
    'arguments tool_calls tool_call_id image_url url'
  ).split(' '),
);

/** In place of a text whose name was part of what was found. */
const NAMED_MARK = '[SECRET]';

export type Place = readonly (string | number)[];
type MapText = (text: string, place: Place, isKey: boolean) => string;

/** Every string and every key, whatever they are called. */
const ALL: Wanted = { numbers: Infinity, hook: 'toolArguments', onlyTools: false };

/**
 * Applies `map` to each string of a JSON value; keys are left alone. `place` is good until `map` answers. Answers and
 * throws as guardrails' own walk does: the same value when nothing changed, a RangeError on one nested too deep.
 */
export function mapStrings(value: unknown, map: (text: string, place: Place) => string): unknown {
  return mapTexts(value, ALL, (text, place, isKey) => (isKey ? text : map(text, place)));
}

/** Calls `look` with each string and each key of a JSON value. Throws a RangeError on one nested too deep. */
export function eachText(value: unknown, look: (text: string, place: Place, isKey: boolean) => void): void {
  mapTexts(value, ALL, (text, place, isKey) => {
    look(text, place, isKey);
    return text;
  });
}

/** Every text of a JSON value in the order it is written: strings, keys, and numbers that are long enough. */
export function gatherTexts(
  value: unknown,
  wanted: Wanted,
): { readonly texts: readonly string[]; readonly chars: number } {
  const texts: string[] = [];
  let chars = 0;
  mapTexts(value, wanted, (text) => {
    texts.push(text);
    chars += text.length;
    return text;
  });
  return { texts, chars };
}

/** The value with texts replaced: `changed` has them by their place in what `gatherTexts` gives. */
export function withTexts(value: unknown, wanted: Wanted, changed: ReadonlyMap<number, string>): unknown {
  let at = 0;
  return mapTexts(value, wanted, (text) => changed.get(at++) ?? text);
}

/** Where a text of `gatherTexts` is: `content[0].text`. A key is not named, since it is what was found. */
export function placeOf(value: unknown, wanted: Wanted, index: number): string {
  let at = 0;
  let found = '';
  mapTexts(value, wanted, (text, place, isKey) => {
    if (at++ === index) found = isKey ? `a key of ${inWords(place)}` : inWords(place);
    return text;
  });
  return found;
}

function inWords(place: Place): string {
  const words = place.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return words === '' ? 'the value' : words.replace(/^\./, '');
}

/**
 * Applies `map` to each text. Answers the same value, object for object, when nothing changed, and copies only what
 * holds a change. Throws a RangeError on a value nested deeper than 1,000.
 */
function mapTexts(value: unknown, wanted: Wanted, map: MapText): unknown {
  const place: (string | number)[] = [];
  const one = (inner: unknown): unknown => {
    if (typeof inner === 'string') return map(inner, place, false);
    if (typeof inner === 'number') return mapNumber(inner);
    if (typeof inner !== 'object' || inner === null) return inner;
    if (place.length > DEEPEST) throw new RangeError(`the value is nested deeper than ${DEEPEST}`);
    return Array.isArray(inner) ? mapItems(inner) : mapMembers(inner as JsonObject);
  };
  const mapNumber = (number: number): unknown => {
    const text = String(number);
    if (text.length < wanted.numbers) return number;
    const mapped = map(text, place, false);
    return mapped === text ? number : mapped;
  };
  const isPassedOver = (item: unknown): boolean =>
    wanted.onlyTools && wanted.hook === 'modelInput' && place.length === 0 && !isOfTool(item);
  const mapItems = (items: readonly unknown[]): readonly unknown[] => {
    let copy: unknown[] | undefined;
    for (let at = 0; at < items.length; at++) {
      if (isPassedOver(items[at])) continue;
      place.push(at);
      const mapped = one(items[at]);
      place.pop();
      if (mapped === items[at]) continue;
      copy ??= [...items];
      copy[at] = mapped;
    }
    return copy ?? items;
  };
  const isMedia = (members: JsonObject, key: string): boolean =>
    wanted.hook === 'toolResult' && isBinary(members, key, place);
  const isNamed = (key: string, inner: unknown): inner is string =>
    typeof inner === 'string' && wanted.named?.(key) === true;
  const mapNamed = (key: string, text: string): string => {
    const before = `${key} = "`;
    const whole = `${before}${text}"`;
    const made = map(whole, place, false);
    if (made === whole) return text;
    return made.startsWith(before) && made.endsWith('"') ? made.slice(before.length, -1) : NAMED_MARK;
  };
  const mapMembers = (members: JsonObject): JsonObject => {
    let changed: Map<string, readonly [string, unknown]> | undefined;
    for (const key of Object.keys(members)) {
      const name = isOfProtocol(key, place, wanted) ? key : map(key, place, true);
      const inner = members[key];
      place.push(key);
      const mapped = isMedia(members, key) ? inner : isNamed(key, inner) ? mapNamed(key, inner) : one(inner);
      place.pop();
      if (name !== key || mapped !== inner) (changed ??= new Map()).set(key, [name, mapped]);
    }
    return changed === undefined ? members : copyMembers(members, changed);
  };
  return one(value);
}

/** The members with the changed ones in their places. Two keys that became the same mark are told apart by a number. */
function copyMembers(
  members: JsonObject,
  changed: ReadonlyMap<string, readonly [string, unknown]>,
): JsonObject {
  const copy: JsonObject = {};
  for (const key of Object.keys(members)) {
    const [wished, value] = changed.get(key) ?? [key, members[key]];
    let name = wished;
    for (let count = 2; name !== key && (Object.hasOwn(members, name) || Object.hasOwn(copy, name)); count++)
      name = `${wished} ${count}`;
    // Set as a member of its own: `__proto__` is a key like any other in JSON.
    Object.defineProperty(copy, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return copy;
}

function isOfTool(message: unknown): boolean {
  return isJsonObject(message) && message['role'] === 'tool';
}

function isOfProtocol(key: string, place: Place, { hook }: Wanted): boolean {
  return hook !== 'toolArguments' && place[0] !== 'structuredContent' && OF_PROTOCOL.has(key);
}

/** Where MCP has binary content: an image's or audio's `data`, a resource's `blob`; and base64 is what it is. */
function isBinary(members: JsonObject, key: string, place: Place): boolean {
  if (key !== 'data' && key !== 'blob') return false;
  const [first, , third, fourth] = place;
  const block = first === 'content' ? 2 : first === 'messages' && third === 'content' ? 3 : 0;
  if (key === 'data') {
    const isMedia = members['type'] === 'image' || members['type'] === 'audio';
    return isMedia && block > 0 && place.length === block + 1 && isBase64(members[key]);
  }
  const embedded = block > 0 && place.length === block + 2 && (block === 2 ? third : fourth) === 'resource';
  const read = first === 'contents' && place.length === 3;
  return (embedded || read) && isBase64(members[key]);
}

/** Looks for what is no base64, since a pattern that goes over all of a large image would take the stack. */
function isBase64(value: unknown): boolean {
  if (typeof value !== 'string' || /[^A-Za-z0-9+/=\r\n]/.test(value)) return false;
  const plain = /[\r\n]/.test(value) ? value.replace(/[\r\n]+/g, '') : value;
  const padding = plain.indexOf('=');
  return plain.length % 4 === 0 && (padding === -1 || (padding >= plain.length - 2 && plain.endsWith('=')));
}
