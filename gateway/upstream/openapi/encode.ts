import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Body, Method, Operation, Parameter } from './operations.ts';

/** An HTTP request, as undici's dispatcher takes it. */
export interface HttpRequest {
  readonly method: Method;
  /** With the query; encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** An argument that no request can be made of; the message names it. */
export class UnusableArgument extends Error {}

/**
 * Makes the request of an operation (OpenAPI 3.1, Parameter Object, style). An argument stays in its place: it can
 * neither leave its part of the path, nor add a header or another parameter. Throws an `UnusableArgument`.
 */
export function encodeRequest(operation: Operation, args: JsonObject, base: URL): HttpRequest {
  const { method, parameters, body } = operation;
  const given = (where: Parameter['in']): [Parameter, unknown][] =>
    parameters
      .filter((parameter) => parameter.in === where)
      .map((parameter): [Parameter, unknown] => [
        parameter,
        Object.hasOwn(args, parameter.argument) ? args[parameter.argument] : undefined,
      ])
      .filter(([, value]) => value !== undefined);
  const query = encodeQuery(given('query'), parameters, base);
  const content =
    body && encodeBody(body, Object.hasOwn(args, body.argument) ? args[body.argument] : undefined);
  return {
    method,
    path: encodePath(operation.path, given('path'), base) + (query === '' ? '' : `?${query}`),
    headers: {
      ...Object.fromEntries(
        given('header').map(([parameter, value]) => [parameter.name, encodeHeader(parameter, value)]),
      ),
      ...(content !== undefined && body && { 'content-type': body.mediaType }),
    },
    body: content ?? null,
  };
}

function encodePath(template: string, values: readonly (readonly [Parameter, unknown])[], base: URL): string {
  const byName = new Map(values.map(([parameter, value]) => [parameter.name, { parameter, value }]));
  const path = template
    .split(/(\{[^}]*\})/)
    .map((part) => {
      if (!part.startsWith('{')) return encodeURI(part).replace(/[?#]/g, encode);
      const found = byName.get(part.slice(1, -1));
      const text = found === undefined ? '' : encodePathValue(found.parameter, found.value);
      if (text === '') throw new UnusableArgument(`"${part.slice(1, -1)}" must not be empty`);
      return text;
    })
    .join('');
  if (climbs(path)) throw new UnusableArgument('an argument of the path must not be or hold "." or ".."');
  return base.pathname.replace(/\/$/, '') + (path.startsWith('/') ? path : `/${path}`);
}

/** Whether a server could take part of a path for a step up, however often it decodes it. */
function climbs(path: string): boolean {
  let decoded = path;
  for (let times = 0; times < 4; times++) {
    if (decoded.split(/[/\\]/).some((segment) => /^\.{1,2}(?:;.*)?$/.test(segment))) return true;
    try {
      decoded = decodeURIComponent(decoded);
    } catch {
      return false;
    }
  }
  return false;
}

function encodePathValue({ name, style, explode, json }: Parameter, value: unknown): string {
  if (json) return encode(JSON.stringify(value));
  const list = Array.isArray(value) ? value.map(scalar).map(encode) : undefined;
  const pairs = isJsonObject(value)
    ? Object.entries(value).map(([key, inner]) => [encode(key), encode(scalar(inner))] as const)
    : undefined;
  const flat = list ?? pairs?.flatMap((pair) => (explode ? pair.join('=') : pair)) ?? [encode(scalar(value))];
  if (style === 'label') return `.${flat.join(explode ? '.' : ',')}`;
  if (style !== 'matrix') return flat.join(',');
  if (!explode) return `;${encode(name)}=${flat.join(',')}`;
  return (pairs === undefined ? flat.map((one) => `${encode(name)}=${one}`) : flat)
    .map((one) => `;${one}`)
    .join('');
}

const DELIMITERS: Readonly<Record<string, string>> = { spaceDelimited: '%20', pipeDelimited: '%7C' };

function encodeQuery(
  values: readonly (readonly [Parameter, unknown])[],
  declared: readonly Parameter[],
  base: URL,
): string {
  const taken = new Set([...base.searchParams.keys(), ...declared.map(({ name }) => name)]);
  const pairs = values.flatMap(([parameter, value]) => queryPairs(parameter, value, taken));
  const own = base.search.slice(1);
  return [...(own === '' ? [] : [own]), ...pairs.map((pair) => pair.join('='))].join('&');
}

/** Names and values, both encoded. */
function queryPairs(
  { argument, name, style, explode, json }: Parameter,
  value: unknown,
  taken: ReadonlySet<string>,
): (readonly [string, string])[] {
  if (json) return [[encode(name), encode(JSON.stringify(value))]];
  const delimiter = DELIMITERS[style] ?? ',';
  if (Array.isArray(value)) {
    const items = value.map(scalar).map(encode);
    if (items.length === 0) return [];
    return explode
      ? items.map((item) => [encode(name), item] as const)
      : [[encode(name), items.join(delimiter)]];
  }
  if (!isJsonObject(value)) return value === null ? [] : [[encode(name), encode(scalar(value))]];
  if (style === 'deepObject') return deepPairs(encode(name), value);
  const entries = Object.entries(value).map(([key, inner]) => [key, encode(scalar(inner))] as const);
  if (!explode)
    return [[encode(name), entries.flatMap(([key, inner]) => [encode(key), inner]).join(delimiter)]];
  // Its keys become parameters of their own.
  const other = entries.find(([key]) => taken.has(key));
  if (other !== undefined)
    throw new UnusableArgument(`"${argument}" must not hold "${other[0]}", which is a parameter of its own`);
  return entries.map(([key, inner]) => [encode(key), inner] as const);
}

function deepPairs(prefix: string, value: unknown): (readonly [string, string])[] {
  if (Array.isArray(value)) return value.map((item) => [prefix, encode(scalar(item))] as const);
  if (!isJsonObject(value)) return [[prefix, encode(scalar(value))]];
  return Object.entries(value).flatMap(([key, inner]) => deepPairs(`${prefix}${encode(`[${key}]`)}`, inner));
}

function encodeHeader({ argument, explode, json }: Parameter, value: unknown): string {
  const text = json
    ? JSON.stringify(value)
    : Array.isArray(value)
      ? value.map(scalar).join(',')
      : isJsonObject(value)
        ? Object.entries(value)
            .map(([key, inner]) => `${key}${explode ? '=' : ','}${scalar(inner)}`)
            .join(',')
        : scalar(value);
  if (!/^[\t\x20-\x7e]*$/.test(text))
    throw new UnusableArgument(
      `"${argument}" must hold only printable ASCII characters, since it is sent as a header`,
    );
  return text;
}

function encodeBody({ argument, kind }: Body, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (kind === 'json') return JSON.stringify(value);
  if (kind === 'text') return scalar(value);
  if (!isJsonObject(value)) throw new UnusableArgument(`"${argument}" must be an object`);
  return Object.entries(value)
    .flatMap(([key, inner]) => (Array.isArray(inner) ? inner : [inner]).map((one) => [key, one] as const))
    .map(([key, inner]) => `${encode(key)}=${encode(scalar(inner))}`)
    .join('&');
}

/** A value as text; what is nested where no style says how is JSON. */
function scalar(value: unknown): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}

/** Everything but the unreserved characters of RFC 3986; text that is no Unicode is mended first. */
function encode(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
