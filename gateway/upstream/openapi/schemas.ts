import { isJsonObject, type JsonObject } from '../../contract/json.ts';

/** What refers to something that is not there, or in another document. */
export class BrokenReference extends Error {}

/** Looks into an OpenAPI document. */
export interface Reader {
  /** The object itself, where it is a `$ref` to one of this document. Throws a `BrokenReference`. */
  resolve(node: unknown): JsonObject;
  /**
   * A JSON Schema without references, for what is sent: what is read-only is left out. What refers to itself, or is
   * deeper or larger than a model can use, is open from there on. Throws a `BrokenReference`.
   */
  schema(node: unknown): JsonObject;
}

const MAX_HOPS = 32;
const MAX_NODES = 2_000;
const MAX_DESCRIPTION = 2_000;
/** How deep a schema may be, and how large as text; one that is larger is cut at the next depth. */
const DEPTHS = [32, 8, 5, 3, 2];
const MAX_TEXT = 64 * 1024;

const PLAIN = new Set(
  [
    'type title description default enum const format pattern required dependentRequired multipleOf uniqueItems',
    'minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems minContains maxContains',
    'minProperties maxProperties contentEncoding contentMediaType',
  ].flatMap((names) => names.split(' ')),
);
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas']);
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const SCHEMAS = new Set(
  'items additionalProperties not if then else contains propertyNames unevaluatedProperties unevaluatedItems'.split(
    ' ',
  ),
);

export function createReader(document: JsonObject): Reader {
  const lookUp = (reference: string): unknown => {
    if (!reference.startsWith('#')) {
      throw new BrokenReference(
        `"${reference}" is in another document, which is not fetched; put all into one`,
      );
    }
    let at: unknown = document;
    for (const part of reference.slice(1).split('/').slice(1)) {
      const key = decode(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const holds = typeof at === 'object' && at !== null && Object.hasOwn(at, key);
      if (!holds) throw new BrokenReference(`"${reference}" leads nowhere`);
      at = (at as JsonObject)[key];
    }
    return at;
  };
  const resolve = (node: unknown): JsonObject => {
    let at = node;
    for (let hops = 0; isJsonObject(at) && typeof at['$ref'] === 'string'; hops++) {
      if (hops > MAX_HOPS) throw new BrokenReference(`"${at['$ref']}" refers to itself`);
      at = lookUp(at['$ref']);
    }
    return isJsonObject(at) ? at : {};
  };
  const schema = (node: unknown): JsonObject => {
    for (const depth of DEPTHS) {
      const made = createInliner(lookUp, depth)(node, [], 0);
      if (isJsonObject(made) && JSON.stringify(made).length <= MAX_TEXT) return made;
    }
    return {};
  };
  return { resolve, schema };
}

/** Copies a schema with what it refers to in place of each reference. */
function createInliner(
  lookUp: (reference: string) => unknown,
  maxDepth: number,
): (node: unknown, stack: readonly string[], depth: number) => unknown {
  let left = MAX_NODES;
  const inline = (node: unknown, stack: readonly string[], depth: number): unknown => {
    if (typeof node === 'boolean') return node;
    if (!isJsonObject(node) || depth > maxDepth || left-- <= 0) return {};
    const { $ref: reference, ...own } = node;
    if (typeof reference !== 'string') return copy(own, stack, depth);
    if (stack.includes(reference)) return {};
    const target = lookUp(reference);
    if (!isJsonObject(target)) return inline(target, [...stack, reference], depth);
    return inline({ ...target, ...own }, [...stack, reference], depth);
  };
  const copy = (node: JsonObject, stack: readonly string[], depth: number): JsonObject => {
    const inner = (value: unknown): unknown => inline(value, stack, depth + 1);
    const made: JsonObject = {};
    for (const [key, value] of Object.entries(node)) {
      if (SCHEMAS.has(key)) made[key] = inner(value);
      else if (LISTS.has(key) && Array.isArray(value)) made[key] = value.map(inner);
      else if (MAPS.has(key) && isJsonObject(value)) {
        const sent = Object.entries(value).filter(([, property]) => !isReadOnly(property));
        made[key] = Object.fromEntries(sent.map(([name, property]) => [name, inner(property)]));
      } else if (PLAIN.has(key)) made[key] = plain(key, value);
    }
    if (made['pattern'] === undefined) delete made['pattern'];
    if (Array.isArray(node['required']) && isJsonObject(node['properties'])) {
      const { properties } = node;
      made['required'] = node['required'].filter((name) => !isReadOnly(properties[String(name)]));
    }
    return made;
  };
  return inline;
}

function plain(key: string, value: unknown): unknown {
  if (key === 'description') return String(value).slice(0, MAX_DESCRIPTION);
  if (key === 'pattern') return isPattern(value) ? value : undefined;
  return value;
}

function isReadOnly(property: unknown): boolean {
  return isJsonObject(property) && property['readOnly'] === true;
}

/** Documents hold patterns of other languages; one that is none here would make the whole schema useless. */
function isPattern(value: unknown): boolean {
  try {
    return typeof value === 'string' && new RegExp(value, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
