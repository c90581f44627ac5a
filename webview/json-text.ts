/**
 * JSON with line breaks and two spaces of indentation, also when its end has not arrived yet. Text that is no
 * JSON comes back with its own words, merely re-spaced, so give it only what claims to be JSON.
 */
export function indentJson(json: string): string {
  let out = '';
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i += 1) {
    const char = json.charAt(i);
    if (inString) {
      out += char;
      if (char === '\\') out += json.charAt((i += 1));
      else if (char === '"') inString = false;
    } else if (char === '"') {
      inString = true;
      out += char;
    } else if (char === '{' || char === '[') {
      const end = /^\s*[}\]]/.exec(json.slice(i + 1, i + 50));
      if (end) {
        out += char + end[0].trim();
        i += end[0].length;
      } else {
        depth += 1;
        out += char + newline(depth);
      }
    } else if (char === '}' || char === ']') {
      depth = Math.max(0, depth - 1);
      out += newline(depth) + char;
    } else if (char === ',') out += char + newline(depth);
    else if (char === ':') out += ': ';
    else if (char.trim() !== '') out += char;
  }
  return out;
}

function newline(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}

/** `indentJson`, but on one line as long as that is short. */
export function prettyJson(json: string, oneLine = 64): string {
  const indented = indentJson(json);
  return json.length > oneLine ? indented : indented.replace(/\n\s*/g, ' ');
}

/** True for text that is a complete JSON object or array; text above `limit` characters is not looked at. */
export function isJsonText(text: string, limit = 5_000_000): boolean {
  if (text.length > limit || !/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A piece of JSON text and what it is, for colouring. */
export interface JsonPiece {
  readonly kind: 'key' | 'string' | 'number' | 'literal' | 'plain';
  readonly text: string;
}

const TOKEN =
  /(?<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?<string>"(?:[^"\\]|\\.)*"?)|(?<number>-?\d[\d.eE+-]*)|(?<literal>\b(?:true|false|null)\b)/g;

/** Splits JSON, complete or not, into pieces whose texts joined are `json` again. */
export function jsonPieces(json: string): JsonPiece[] {
  const pieces: JsonPiece[] = [];
  let end = 0;
  for (const match of json.matchAll(TOKEN)) {
    if (match.index > end) pieces.push({ kind: 'plain', text: json.slice(end, match.index) });
    const { key, string, number } = match.groups ?? {};
    const kind =
      key !== undefined
        ? 'key'
        : string !== undefined
          ? 'string'
          : number !== undefined
            ? 'number'
            : 'literal';
    pieces.push({ kind, text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < json.length) pieces.push({ kind: 'plain', text: json.slice(end) });
  return pieces;
}
