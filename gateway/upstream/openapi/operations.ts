import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Listed } from '../../registry/entry.ts';
import { createReader, type Reader } from './schemas.ts';

/** A parameter of an operation, and the argument that gives it. */
export interface Parameter {
  readonly argument: string;
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly style: string;
  readonly explode: boolean;
  /** It is sent as JSON text. */
  readonly json: boolean;
}

/** The body of an operation, and the argument that gives it. */
export interface Body {
  readonly argument: string;
  readonly mediaType: string;
  readonly kind: 'json' | 'form' | 'text';
}

/** A tool that an operation of an OpenAPI document became, and what a request is made by. */
export interface Operation {
  readonly tool: Listed;
  readonly method: Method;
  /** `/pets/{petId}`. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body?: Body;
}

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

export interface Operations {
  readonly byName: ReadonlyMap<string, Operation>;
  /** What was left out, and why. */
  readonly problems: readonly string[];
}

const METHODS: readonly Method[] = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'];
const MAX_NAME = 64;
const MAX_OPERATIONS = 2_000;
const MAX_DESCRIPTION = 4_000;
/** How long a document may keep everything else waiting. */
const TURN_MS = 5;
/** Headers that are the gateway's, the connection's or the credentials', and never a caller's. */
const RESERVED =
  /^(?:accept|accept-encoding|authorization|connection|content-.*|cookie|expect|forwarded|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|via|x-forwarded-.*)$/i;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/**
 * Makes a tool of each operation of a document (OpenAPI 3.1). An operation that cannot be called faithfully is left out
 * and told of in `problems`; so is a second one of a name. `credentials` are the names of headers that are the server's
 * own. Calls under way get their turn meanwhile.
 */
export async function readOperations(
  document: JsonObject,
  credentials: readonly string[],
): Promise<Operations> {
  const reader = createReader(document);
  const reserved = new Set(credentials.map((name) => name.toLowerCase()));
  const isFree = (name: string): boolean =>
    HEADER_NAME.test(name) && !RESERVED.test(name) && !reserved.has(name.toLowerCase());
  const byName = new Map<string, Operation>();
  const problems: string[] = [];
  let began = performance.now();
  for (const [path, item] of Object.entries(isJsonObject(document['paths']) ? document['paths'] : {})) {
    if (performance.now() - began > TURN_MS) {
      await nextTurn();
      began = performance.now();
    }
    for (const method of METHODS) {
      const place = `${method} ${path}`;
      try {
        const paths = reader.resolve(item);
        const written = paths[method.toLowerCase()];
        if (!isJsonObject(written)) continue;
        const operation = readOperation({
          reader,
          path,
          method,
          written,
          shared: paths['parameters'],
          isFree,
        });
        const { name } = operation.tool;
        if (byName.size >= MAX_OPERATIONS) throw new Error(`there are over ${MAX_OPERATIONS} operations`);
        if (byName.has(name)) throw new Error(`the name "${name}" is that of another operation`);
        byName.set(name, operation);
      } catch (error) {
        problems.push(`${place} is left out: ${(error as Error).message}`);
      }
    }
  }
  return { byName, problems };
}

interface Written {
  readonly reader: Reader;
  readonly path: string;
  readonly method: Method;
  readonly written: JsonObject;
  /** The parameters of all operations at the path. */
  readonly shared: unknown;
  readonly isFree: (header: string) => boolean;
}

function readOperation({ reader, path, method, written, shared, isFree }: Written): Operation {
  const properties: JsonObject = {};
  const required: string[] = [];
  const parameters: Parameter[] = [];
  const add = (name: string, where: string, schema: JsonObject, isRequired: boolean): string => {
    const argument = argumentName(name, where, properties);
    properties[argument] = schema;
    if (isRequired) required.push(argument);
    return argument;
  };
  for (const parameter of parametersOf(reader, shared, written['parameters'])) {
    const made = readParameter(reader, parameter, isFree);
    if (made === undefined) continue;
    const { schema, isRequired, ...rest } = made;
    parameters.push({ ...rest, argument: add(rest.name, rest.in, schema, isRequired) });
  }
  const unknown = [...path.matchAll(/\{([^}]*)\}/g)]
    .map(([, name]) => name)
    .find((name) => !parameters.some((parameter) => parameter.in === 'path' && parameter.name === name));
  if (unknown !== undefined) throw new Error(`no parameter gives the {${unknown}} of its path`);
  const body = readBody(reader, written['requestBody']);
  const argument = body && add('body', 'request', body.schema, body.isRequired);
  return {
    tool: toTool(written, method, path, {
      type: 'object',
      properties,
      required,
      additionalProperties: false,
    }),
    method,
    path,
    parameters,
    ...(body && argument !== undefined && { body: { argument, mediaType: body.mediaType, kind: body.kind } }),
  };
}

function toTool(written: JsonObject, method: Method, path: string, inputSchema: JsonObject): Listed {
  const { operationId, summary, description, deprecated } = written;
  const text = [description, summary].find((value) => typeof value === 'string' && value.trim() !== '');
  const words = `${deprecated === true ? 'Deprecated. ' : ''}${typeof text === 'string' ? text : `${method} ${path}`}`;
  return {
    name: toolName(typeof operationId === 'string' ? operationId : `${method.toLowerCase()}${path}`),
    ...(typeof summary === 'string' && summary.trim() !== '' && { title: summary.slice(0, 200) }),
    description: words.slice(0, MAX_DESCRIPTION),
    inputSchema,
    annotations: annotationsOf(method),
  };
}

/** What HTTP says of its methods (RFC 9110, 9.2); of POST and PATCH it says nothing, so they may destroy. */
function annotationsOf(method: Method): JsonObject {
  if (method === 'GET') return { readOnlyHint: true, idempotentHint: true, openWorldHint: true };
  return {
    readOnlyHint: false,
    ...(method === 'DELETE' && { destructiveHint: true }),
    ...((method === 'PUT' || method === 'DELETE') && { idempotentHint: true }),
    openWorldHint: true,
  };
}

/** A name that MCP and model APIs take; one that is too long ends in a hash of the whole. */
function toolName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '');
  if (name === '') throw new Error('its name has neither letters nor digits');
  if (name.length <= MAX_NAME) return name;
  return `${name.slice(0, MAX_NAME - 9)}_${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}

function argumentName(name: string, where: string, taken: JsonObject): string {
  const plain = name.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, MAX_NAME - 12) || where;
  const free = [plain, `${plain}_${where}`].find((one) => !Object.hasOwn(taken, one));
  if (free === undefined) throw new Error(`several of its parameters are called "${name}"`);
  return free;
}

/** An operation's own parameters, and those of its path that it does not override. */
function parametersOf(reader: Reader, shared: unknown, own: unknown): Iterable<JsonObject> {
  const byPlace = new Map<string, JsonObject>();
  for (const one of [shared, own].flatMap((list: unknown): unknown[] => (Array.isArray(list) ? list : []))) {
    const parameter = reader.resolve(one);
    byPlace.set(JSON.stringify([parameter['in'], parameter['name']]), parameter);
  }
  return byPlace.values();
}

type ReadParameter = Omit<Parameter, 'argument'> & {
  readonly schema: JsonObject;
  readonly isRequired: boolean;
};

/** Undefined for a parameter that is not a caller's to give. */
function readParameter(
  reader: Reader,
  parameter: JsonObject,
  isFree: (header: string) => boolean,
): ReadParameter | undefined {
  const { name, in: where, description, content } = parameter;
  const isRequired = parameter['required'] === true || where === 'path';
  if (typeof name !== 'string' || name === '') throw new Error('one of its parameters has no name');
  if (where === 'cookie' || (where === 'header' && !isFree(name))) {
    if (isRequired && where === 'cookie') throw new Error(`it needs the cookie "${name}"`);
    return undefined;
  }
  if (where !== 'path' && where !== 'query' && where !== 'header')
    throw new Error(`its parameter "${name}" is in "${String(where)}", which is not supported`);
  const [media] = isJsonObject(content) ? Object.entries(content) : [];
  if (media !== undefined && !isJsonType(media[0]))
    throw new Error(`its parameter "${name}" is sent as ${media[0]}, which is not supported`);
  const style =
    typeof parameter['style'] === 'string' ? parameter['style'] : where === 'query' ? 'form' : 'simple';
  const schema = reader.schema(
    media === undefined ? parameter['schema'] : reader.resolve(media[1])['schema'],
  );
  const words = schema['description'] === undefined && typeof description === 'string';
  return {
    in: where,
    name,
    style,
    explode: typeof parameter['explode'] === 'boolean' ? parameter['explode'] : style === 'form',
    json: media !== undefined,
    schema: words ? { ...schema, description: description.slice(0, MAX_DESCRIPTION) } : schema,
    isRequired,
  };
}

function readBody(
  reader: Reader,
  written: unknown,
): (Omit<Body, 'argument'> & { readonly schema: JsonObject; readonly isRequired: boolean }) | undefined {
  if (written === undefined) return undefined;
  const { content, required } = reader.resolve(written);
  const types = Object.entries(isJsonObject(content) ? content : {});
  const kinds: readonly (readonly [Body['kind'], (type: string) => boolean])[] = [
    ['json', isJsonType],
    ['form', (type) => type === 'application/x-www-form-urlencoded'],
    ['text', (type) => type.startsWith('text/')],
  ];
  for (const [kind, fits] of kinds) {
    const found = types.find(([type]) => fits(essence(type)));
    if (found === undefined) continue;
    const [type, media] = found;
    const schema = reader.schema(reader.resolve(media)['schema']);
    const mediaType = type.includes('*') ? 'application/json' : type;
    return { mediaType, kind, schema, isRequired: required === true };
  }
  if (required !== true) return undefined;
  const offered = types.map(([type]) => type).join(', ') || 'nothing';
  throw new Error(`it takes ${offered}, none of which is supported`);
}

/** A media type without its parameters. */
export function essence(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}

export function isJsonType(type: string): boolean {
  return /^(?:application\/json|[^/]+\/[^/]+\+json|\*\/\*|application\/\*)$/.test(essence(type));
}
