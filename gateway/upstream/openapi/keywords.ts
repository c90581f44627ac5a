import { isJsonObject, type JsonObject } from '../../contract/json.ts';

const MAX_DESCRIPTION = 2_000;
const TYPES = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']);

type Check = (value: unknown) => unknown;
const ifIs =
  (fits: (value: unknown) => boolean): Check =>
  (value) =>
    fits(value) ? value : undefined;

const isName = (value: unknown): boolean => typeof value === 'string';
const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every(isName);
const isType = (value: unknown): boolean => typeof value === 'string' && TYPES.has(value);
const aText: Check = (value) => (typeof value === 'string' ? value.slice(0, MAX_DESCRIPTION) : undefined);
const aCount = ifIs((value) => Number.isSafeInteger(value) && Number(value) >= 0);
const aNumber = ifIs((value) => typeof value === 'number');
const anything: Check = (value) => value;
const names: Check = (value) => (isNames(value) ? [...new Set(value)] : undefined);

/** The keywords of JSON Schema that hold no schema, each with what makes its value usable. */
const KEYWORDS = new Map<string, Check>([
  [
    'type',
    ifIs((value) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType))),
  ],
  ['title', aText],
  ['description', aText],
  ['default', anything],
  ['const', anything],
  ['enum', ifIs((value) => Array.isArray(value) && value.length > 0)],
  ['format', ifIs(isName)],
  ['pattern', ifIs(isPattern)],
  ['required', names],
  ['dependentRequired', ifIs((value) => isJsonObject(value) && Object.values(value).every(isNames))],
  ['multipleOf', ifIs((value) => typeof value === 'number' && value > 0)],
  ['uniqueItems', ifIs((value) => typeof value === 'boolean')],
  ['contentEncoding', ifIs(isName)],
  ['contentMediaType', ifIs(isName)],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map((name) => [name, aNumber] as const),
  ...['Length', 'Items', 'Properties', 'Contains'].flatMap((what) =>
    ['min', 'max'].map((which) => [`${which}${what}`, aCount] as const),
  ),
]);

/**
 * The keywords of a schema that hold no schema themselves. Documents get them wrong (`required: true` at a property,
 * patterns of another language), and one that is wrong would make the whole schema useless, so it is left out.
 */
export function plainKeywords(node: JsonObject): JsonObject {
  const entries = Object.entries(node).map(([key, value]) => [key, KEYWORDS.get(key)?.(value)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function isPattern(value: unknown): boolean {
  try {
    return typeof value === 'string' && new RegExp(value, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
