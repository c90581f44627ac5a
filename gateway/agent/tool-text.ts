import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { failedToolText } from '../models/tool-failure.ts';

const MAX_CHARS = 400_000;

/** A `CallToolResult` as a model reads it: its text, and a short placeholder for what a model cannot read. */
export function resultText(result: JsonObject): string {
  const blocks = Array.isArray(result['content']) ? result['content'].filter(isJsonObject) : [];
  const text = blocks.map(blockText).join('\n') || structuredText(result['structuredContent']);
  return result['isError'] === true ? failedToolText(cut(text)) : cut(text);
}

function blockText(block: JsonObject): string {
  const { type } = block;
  if (type === 'text') return stringOf(block['text']);
  if (type === 'image' || type === 'audio') return placeholder(type, block['mimeType'], block['data']);
  if (type === 'resource_link') {
    return `[resource link ${[block['name'], block['uri'], block['mimeType']].map(stringOf).filter(Boolean).join(', ')}]`;
  }
  if (type === 'resource' && isJsonObject(block['resource'])) {
    const { text, uri, mimeType, blob } = block['resource'];
    return typeof text === 'string' ? text : placeholder(`resource ${stringOf(uri)}`, mimeType, blob);
  }
  return `[a block of type "${stringOf(type)}", not shown]`;
}

function placeholder(what: string, mimeType: unknown, base64: unknown): string {
  const size = typeof base64 === 'string' ? `${Buffer.byteLength(base64, 'base64')} bytes` : 'no data';
  return `[${[what, stringOf(mimeType), size].filter(Boolean).join(', ')}, not shown]`;
}

function structuredText(value: unknown): string {
  return value === undefined ? '[the tool answered without content]' : JSON.stringify(value);
}

function cut(text: string): string {
  if (text.length <= MAX_CHARS) return text;
  return `${text.slice(0, MAX_CHARS)}\n[cut here: ${MAX_CHARS} of ${text.length} characters shown]`;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
