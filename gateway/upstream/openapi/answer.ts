import { STATUS_CODES } from 'node:http';
import { isJsonObject, parseJson, type JsonObject } from '../../contract/json.ts';
import { UnavailableError } from '../errors.ts';
import type { JsonResponse, StreamResponse } from '../http-exchange.ts';
import { nestsTooDeep } from '../message.ts';
import { essence, isJsonType } from './operations.ts';

const MAX_ERROR_TEXT = 16 * 1024;
const TEXT =
  /^(?:text\/.*|application\/(?:xml|yaml|x-yaml|javascript|x-ndjson|x-www-form-urlencoded|.*\+(?:xml|yaml)))$/;

/** A response's body whole; rejects with an `UnavailableError` when it is over `limit` bytes or breaks off. */
export async function bytesOf(response: JsonResponse | StreamResponse, limit: number): Promise<Buffer> {
  if ('text' in response) return Buffer.from(response.text);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop ends the exchange.
    if (size > limit) throw new UnavailableError(`the server's answer is over ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * An HTTP answer as the result of a tool (MCP 2025-11-25, Tools): JSON as structured content and text, images and audio
 * as such, other bytes as an embedded resource at `uri`. Anything but 2xx is a tool's error, with its status and body.
 */
export async function toToolResult(
  response: JsonResponse | StreamResponse,
  uri: string,
  limit: number,
): Promise<JsonObject> {
  const { statusCode, headers } = response;
  const bytes = await bytesOf(response, limit);
  const type = essence(headers['content-type'] ?? '');
  const status = `HTTP ${statusCode} ${STATUS_CODES[statusCode] ?? ''}`.trim();
  if (statusCode < 200 || statusCode > 299) {
    const moved =
      typeof headers.location === 'string' ? `; it points to ${headers.location}, which is not followed` : '';
    const text =
      TEXT.test(type) || isJsonType(type) ? bytes.toString('utf8').slice(0, MAX_ERROR_TEXT).trim() : '';
    return {
      content: [{ type: 'text', text: `${status}${moved}${text === '' ? '' : `\n${text}`}` }],
      isError: true,
    };
  }
  if (bytes.length === 0) return textResult(status);
  const kind = /^(image|audio)\//.exec(type)?.[1];
  if (kind !== undefined)
    return { content: [{ type: kind, data: bytes.toString('base64'), mimeType: type }] };
  if (!isJsonType(type) && !TEXT.test(type) && type !== '') {
    const resource = { uri, mimeType: type, blob: bytes.toString('base64') };
    return { content: [{ type: 'resource', resource }] };
  }
  const text = bytes.toString('utf8');
  const value = isJsonType(type) && !nestsTooDeep(text) ? parseJson(text) : undefined;
  if (value === undefined) return textResult(text);
  // Structured content is an object; a list or a single value goes into one.
  return { ...textResult(text), structuredContent: isJsonObject(value) ? value : { result: value } };
}

function textResult(text: string): JsonObject {
  return { content: [{ type: 'text', text }] };
}
