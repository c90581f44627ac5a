/** A text that another one holds in some encoding, with the place of each of its characters there. */
export interface Decoded {
  readonly text: string;
  /** Where a range of the text stands in the one that holds it. */
  readonly at: (start: number, end: number) => { readonly start: number; readonly end: number };
}

const BASE64 = /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}/g;
const HEX = /(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}){16,}(?![0-9a-fA-F])/g;
const ESCAPED = /\\u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*|&#(?:x[0-9a-fA-F]{1,5}|[0-9]{1,6});/g;
/** Of what is said in ROT13, or backwards, so much that another look is worth it. */
const ROT13 = /\b(?:vtaber|qvfertneq|vafgehpgvbaf?|cebzcg|sbetrg|cnffjbeq)\b/i;
const BACKWARDS = /\b(?:erongi|dragersid|snoitcurtsni|tpmorp|tegrof|drowssap)\b/i;
/** Prose has words; what only happens to decode to something has none. */
const PROSE = /^[\t\n\r\x20-\x7e\u00a0-\u024f\u0400-\u04ff\u2010-\u2026\u3000-\u30ff\u4e00-\u9fff]+$/;

/**
 * What a text holds in Base64, hexadecimal digits, escapes of JSON, addresses and HTML, ROT13 or backwards. All
 * together are no longer than a few times the text.
 */
export function decodedIn(text: string): readonly Decoded[] {
  const found: Decoded[] = [];
  const add = (pattern: RegExp, encoding: 'base64' | 'hex'): void => {
    for (const { 0: run, index } of text.matchAll(pattern)) {
      const decoded = Buffer.from(
        encoding === 'base64' ? run.replace(/-/g, '+').replace(/_/g, '/') : run,
        encoding,
      );
      const words = decoded.toString('utf8');
      if (!PROSE.test(words) || !/\S[ \u3000]\S|[\u3040-\u9fff]/.test(words)) continue;
      found.push({ text: words, at: () => ({ start: index, end: index + run.length }) });
    }
  };
  add(BASE64, 'base64');
  add(HEX, 'hex');
  if (/\\u[0-9a-f]{4}|%20|%[c-f][0-9a-f]%|&#/i.test(text)) found.push(unescaped(text));
  if (ROT13.test(text)) {
    const turned = text.replace(/[a-z]/gi, (letter) => {
      const base = letter <= 'Z' ? 65 : 97;
      return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
    });
    found.push({ text: turned, at: (start, end) => ({ start, end }) });
  }
  if (BACKWARDS.test(text)) {
    const { length } = text;
    const turned = text.split('').reverse().join('');
    found.push({ text: turned, at: (start, end) => ({ start: length - end, end: length - start }) });
  }
  return found;
}

function unescaped(text: string): Decoded {
  const starts: number[] = [];
  let result = '';
  const copy = (piece: string, from: number): void => {
    for (let at = 0; at < piece.length; at++) starts.push(from + at);
    result += piece;
  };
  let from = 0;
  for (const { 0: run, index } of text.matchAll(ESCAPED)) {
    copy(text.slice(from, index), from);
    result += decodeEscape(run);
    while (starts.length < result.length) starts.push(index);
    from = index + run.length;
  }
  copy(text.slice(from), from);
  return {
    text: result,
    at: (start, end) => ({
      start: starts[start] ?? text.length,
      end: Math.max(starts[end] ?? text.length, (starts[end - 1] ?? 0) + 1),
    }),
  };
}

function decodeEscape(run: string): string {
  if (run.startsWith('\\u')) return String.fromCharCode(Number.parseInt(run.slice(2), 16));
  if (run.startsWith('%')) return Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8');
  const point = run[2] === 'x' ? Number.parseInt(run.slice(3), 16) : Number.parseInt(run.slice(2), 10);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : ' ';
}
