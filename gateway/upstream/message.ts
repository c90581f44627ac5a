import { isJsonObject, parseJson } from '../contract/json.ts';

/** Deeper values would overflow the stack of whatever walks them, and no tool answers such. */
const MAX_DEPTH = 128;
const INTERNAL_ERROR = -32603;

/**
 * A message of a server; undefined when the text is no JSON. One that nests too deep becomes an error, under its own id, so that
 * whoever asked is told at once.
 */
export function parseMessage(text: string): unknown {
  const message = parseJson(text);
  if (!nestsTooDeep(text)) return message;
  const id = isJsonObject(message) ? message['id'] : undefined;
  const words = `the server's answer nests deeper than ${MAX_DEPTH} levels`;
  return { jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message: words } };
}

/** Whether a JSON text nests deeper than 128 levels. */
export function nestsTooDeep(text: string): boolean {
  // Most are too short to.
  if (text.length <= MAX_DEPTH) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > MAX_DEPTH) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
    }
  }
  return false;
}

/** Where the string that begins at `from` ends; texts are mostly strings, and are skipped in one go. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
