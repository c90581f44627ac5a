import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import { plainKeywords } from './keywords.ts';

/** What refers to something that is not there, or in another document. */
export class BrokenReference extends Error {}

/** Looks into an OpenAPI document. */
export interface Reader {
  /** The object itself, where it is a `$ref` to one of this document. Throws a `BrokenReference`. */
  resolve(node: unknown): JsonObject;
  /**
   * A JSON Schema without references, for what is sent: what is read-only is left out. What refers to itself, or is
   * deeper or larger than a model can use, is open from there on; so is what would refuse too much once a part is open
   * (`not`, `if`, `unevaluated…`; `oneOf` becomes `anyOf`). The API checks that itself. Throws a `BrokenReference`.
   */
  schema(node: unknown): JsonObject;
}

const MAX_HOPS = 32;
/** How many levels are shown: as many as fit, all alike, so that no part takes the place of the others. */
const DEPTHS = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const MAX_NODES = 1_000;
const MAX_TEXT = 16 * 1024;

const MAPS = ['properties', 'patternProperties', 'dependentSchemas'];
const SCHEMAS = ['items', 'additionalProperties', 'contains', 'propertyNames'];

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
    const list = (value: unknown): unknown[] => (Array.isArray(value) ? value.map(inner) : []);
    const made = plainKeywords(node);
    for (const key of SCHEMAS) if (Object.hasOwn(node, key)) made[key] = inner(node[key]);
    for (const key of MAPS) {
      const map = node[key];
      if (!isJsonObject(map)) continue;
      const sent = Object.entries(map).filter(([, property]) => !isReadOnly(property));
      made[key] = Object.fromEntries(sent.map(([name, property]) => [name, inner(property)]));
    }
    const { properties } = node;
    if (Array.isArray(made['required']) && isJsonObject(properties))
      made['required'] = made['required'].filter((name) => !isReadOnly(properties[String(name)]));
    if (Array.isArray(node['prefixItems'])) made['prefixItems'] = list(node['prefixItems']);
    // Branches that were left open in part may fit together where only one did.
    const anyOf = [node['anyOf'], node['oneOf']].map(list).filter((branches) => branches.length > 0);
    const allOf = [...list(node['allOf']), ...anyOf.slice(1).map((branches) => ({ anyOf: branches }))];
    if (anyOf[0] !== undefined) made['anyOf'] = anyOf[0];
    if (allOf.length > 0) made['allOf'] = allOf;
    return node['nullable'] === true ? { anyOf: [made, { type: 'null' }] } : made;
  };
  const schema = visit(root, [], 0);
  return nodes > MAX_NODES ? undefined : { schema: isJsonObject(schema) ? schema : {}, whole };
}

function isReadOnly(property: unknown): boolean {
  return isJsonObject(property) && property['readOnly'] === true;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
