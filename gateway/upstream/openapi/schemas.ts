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
const MAX_DESCRIPTION = 2_000;
/** How many levels are shown: as many as fit, all alike, so that no part takes the place of the others. */
const DEPTHS = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const MAX_NODES = 1_000;
const MAX_TEXT = 16 * 1024;

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
    let fitting: JsonObject = {};
    for (const depth of DEPTHS) {
      const made = inline(node, lookUp, depth);
      if (made === undefined || JSON.stringify(made.schema).length > MAX_TEXT) break;
      fitting = made.schema;
      if (made.whole) break;
    }
    return fitting;
  };
  return { resolve, schema };
}

/**
 * Copies a schema, down to `maxDepth`, with what it refers to in place of each reference; `whole` when nothing had to be
 * left open for its depth. Undefined when that would take too many nodes.
 */
function inline(
  root: unknown,
  lookUp: (reference: string) => unknown,
  maxDepth: number,
): { readonly schema: JsonObject; readonly whole: boolean } | undefined {
  let nodes = 0;
  let whole = true;
  const visit = (node: unknown, stack: readonly string[], depth: number): unknown => {
    if (typeof node === 'boolean') return node;
    if (!isJsonObject(node)) return {};
    if (depth > maxDepth) {
      whole = false;
      return {};
    }
    if (nodes++ > MAX_NODES) return {};
    const { $ref: reference, ...own } = node;
    if (typeof reference !== 'string') return copy(own, stack, depth);
    if (stack.includes(reference)) return {};
    const target = lookUp(reference);
    const inner = [...stack, reference];
    return visit(isJsonObject(target) ? { ...target, ...own } : target, inner, depth);
  };
  const copy = (node: JsonObject, stack: readonly string[], depth: number): JsonObject => {
    const inner = (value: unknown): unknown => visit(value, stack, depth + 1);
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
  const schema = visit(root, [], 0);
  return nodes > MAX_NODES ? undefined : { schema: isJsonObject(schema) ? schema : {}, whole };
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
