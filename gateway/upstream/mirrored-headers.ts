import { isJsonObject, type JsonObject } from '../contract/json.ts';

/** A tool argument that its schema marks with `x-mcp-header`: where it is, and the header's name in small letters. */
export interface MirroredArgument {
  readonly path: readonly string[];
  readonly header: string;
}

/** The marked arguments of a tool, or what is wrong with the marks. */
export type Marks = { readonly marked: readonly MirroredArgument[] } | { readonly fault: string };

const MARK = 'x-mcp-header';
const PREFIX = 'mcp-param-';
/** An HTTP field name (RFC 9110, 5.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);
/** A schema may nest so deep at most; nobody writes such schemas. */
const MAX_DEPTH = 64;

/** The methods whose `params` name what they are for, and where. */
export const NAMED: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** The headers that repeat what a request's body says (MCP 2026-07-28, Streamable HTTP, Request Metadata). */
export function standardHeaders(method: string, params: JsonObject): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-method': method };
  const key = NAMED[method];
  if (key !== undefined) headers['mcp-name'] = encodeHeader(String(params[key]));
  return headers;
}

/**
 * Reads the marks of a tool's input schema. A mark anywhere but on a string, integer or boolean that a chain of
 * `properties` leads to, or one whose name is no header's or is taken, is a fault of the whole tool.
 */
export function readMarks(inputSchema: unknown): Marks {
  const marked: MirroredArgument[] = [];
  const taken = new Set<string>();
  const read = (schema: JsonObject, path: readonly string[]): string | undefined => {
    const name = schema[MARK];
    const at = path.join('.');
    if (typeof name !== 'string' || !TOKEN.test(name)) return `${MARK} of ${at} is not the name of a header`;
    if (!TYPES.has(schema['type'])) return `${MARK} of ${at} needs the type string, integer or boolean`;
    const header = PREFIX + name.toLowerCase();
    if (taken.has(header)) return `${MARK} "${name}" is used twice`;
    taken.add(header);
    marked.push({ path, header });
    return undefined;
  };
  /** `path` is undefined where no chain of `properties` leads to. */
  const visit = (schema: unknown, path: readonly string[] | undefined, depth: number): string | undefined => {
    if (typeof schema !== 'object' || schema === null) return undefined;
    if (depth > MAX_DEPTH) return `the schema is nested over ${MAX_DEPTH} deep`;
    if (isJsonObject(schema) && Object.hasOwn(schema, MARK)) {
      const fault =
        path === undefined || path.length === 0
          ? `${MARK} stands where no chain of properties leads to`
          : read(schema, path);
      if (fault !== undefined) return fault;
    }
    for (const [key, inner] of Object.entries(schema)) {
      if (DATA.has(key) && isJsonObject(schema)) continue;
      const fault =
        key === 'properties' && isJsonObject(inner)
          ? visitEach(inner, (name) => path && [...path, name], depth)
          : MAPS.has(key) && isJsonObject(inner)
            ? visitEach(inner, () => undefined, depth)
            : visit(inner, undefined, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  const visitEach = (
    schemas: JsonObject,
    pathOf: (name: string) => readonly string[] | undefined,
    depth: number,
  ): string | undefined => {
    for (const [name, schema] of Object.entries(schemas)) {
      const fault = visit(schema, pathOf(name), depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  const fault = visit(inputSchema, [], 0);
  return fault === undefined ? { marked } : { fault };
}

/** Keywords whose value is data and no schema. */
const DATA: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples', MARK]);
/** Keywords whose value holds schemas by names of its own. */
const MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  'dependentSchemas',
  '$defs',
  'definitions',
]);

/** The value of a marked argument; undefined where a call has none. */
export function argumentAt(path: readonly string[], args: unknown): unknown {
  return path.reduce<unknown>(
    (node, key) => (isJsonObject(node) && Object.hasOwn(node, key) ? node[key] : undefined),
    args,
  );
}

/** The headers of a call's marked arguments; an argument that is absent, null or of another type has none. */
export function argumentHeaders(marked: readonly MirroredArgument[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { path, header } of marked) {
    const value = argumentAt(path, args);
    const whole = typeof value === 'number' && Number.isSafeInteger(value);
    if (typeof value === 'string' || typeof value === 'boolean' || whole)
      headers[header] = encodeHeader(String(value));
  }
  return headers;
}

/** What a header can carry as it is: visible ASCII, with spaces and tabs only inside. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const SENTINEL = /^=\?base64\?.*\?=$/;

/** A value as a header carries it (MCP 2026-07-28, Value Encoding): never with a line break or what is not ASCII. */
export function encodeHeader(value: string): string {
  if (PLAIN.test(value) && !SENTINEL.test(value)) return value;
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** What a header carries; undefined when it claims to be base64 of UTF-8 and is not. */
export function decodeHeader(value: string): string | undefined {
  if (!SENTINEL.test(value)) return value;
  const encoded = value.slice('=?base64?'.length, -'?='.length);
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}
