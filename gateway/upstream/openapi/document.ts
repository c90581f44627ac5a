import { readFile, stat } from 'node:fs/promises';
import { upgrade } from '@scalar/openapi-upgrader';
import type { Dispatcher } from 'undici';
import { parse } from 'yaml';
import { isJsonObject, parseJson, type JsonObject } from '../../contract/json.ts';
import { describeError, UnavailableError } from '../errors.ts';
import { exchange } from '../http-exchange.ts';
import { bytesOf } from './answer.ts';

/** Where an OpenAPI document is. */
export interface DocumentSource {
  /** An http(s) address, or the absolute path of a file. */
  readonly location: string;
  /** Sent to an address. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
}

const MAX_BYTES = 16 * 1024 * 1024;

/** Whether a document's place is an address rather than a file. */
export function isAddress(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/**
 * Reads a document, JSON or YAML, and brings it to OpenAPI 3.1; Swagger 2.0 and OpenAPI 3.0 are taken as well. Nothing
 * that it refers to is fetched. Rejects with an `UnavailableError` that says what is wrong with it.
 */
export async function loadDocument(source: DocumentSource, signal: AbortSignal): Promise<JsonObject> {
  const { location } = source;
  return isAddress(location) ? readText(await download(source, signal), location) : loadFile(location);
}

/** Reads a document from a file, as `loadDocument` does. */
export async function loadFile(file: string): Promise<JsonObject> {
  return readText(await readLocal(file), file);
}

function readText(text: string, location: string): JsonObject {
  const written = read(text, location);
  const { openapi, swagger } = written;
  if (swagger !== '2.0' && !(typeof openapi === 'string' && /^3\.[01]/.test(openapi))) {
    const said = openapi ?? swagger;
    const is = said === undefined ? 'neither "openapi" nor "swagger"' : JSON.stringify(said);
    throw new UnavailableError(
      `${location} is no OpenAPI document of version 3.1, 3.0 or 2.0: it says ${is}`,
    );
  }
  try {
    const upgraded: unknown = upgrade(written, '3.1');
    if (isJsonObject(upgraded)) return upgraded;
  } catch (error) {
    throw new UnavailableError(`${location} cannot be read as OpenAPI (${describeError(error)})`);
  }
  throw new UnavailableError(`${location} cannot be read as OpenAPI`);
}

async function download(
  { location, headers, dispatcher }: DocumentSource,
  signal: AbortSignal,
): Promise<string> {
  const { origin, pathname, search } = new URL(location);
  const accept = 'application/json, application/yaml, text/yaml, */*;q=0.5';
  const options = {
    origin,
    path: pathname + search,
    method: 'GET' as const,
    headers: { accept, ...headers },
  };
  try {
    const response = await exchange(dispatcher, options, signal, MAX_BYTES);
    const bytes = await bytesOf(response, MAX_BYTES);
    if (response.statusCode !== 200) throw new UnavailableError(`it answered HTTP ${response.statusCode}`);
    return bytes.toString('utf8');
  } catch (error) {
    throw new UnavailableError(`the document ${location} cannot be fetched: ${describeError(error)}`);
  }
}

async function readLocal(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > MAX_BYTES) throw new Error(`it is over ${MAX_BYTES} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UnavailableError(`the document ${file} cannot be read: ${describeError(error)}`);
  }
}

function read(text: string, location: string): JsonObject {
  let value = parseJson(text);
  if (value === undefined) {
    try {
      value = parse(text, { maxAliasCount: 100, logLevel: 'error' });
    } catch (error) {
      throw new UnavailableError(`${location} is neither JSON nor YAML: ${describeError(error)}`);
    }
  }
  if (isJsonObject(value)) return value;
  throw new UnavailableError(`${location} is no OpenAPI document: it holds no object`);
}
