/** What a page may take as a text of JSON. */
export interface PageRoom {
  /** In UTF-8. */
  readonly bytes: number;
  readonly chars: number;
}

/** How far before the end of what fits a gap between words is looked for. */
const GAP = 200;

/**
 * Where each page of a text ends: none takes more than there is room for, and none ends within a character, or within a
 * word where there is a gap close by. A page holds one character at least.
 */
export function pageEnds(text: string, { bytes, chars }: PageRoom): number[] {
  const ends: number[] = [];
  let begin = 0;
  let [usedBytes, usedChars] = [0, 0];
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    const pair = isHigh(code) && isLow(text.charCodeAt(at + 1));
    const inBytes = pair ? 4 : bytesOf(code);
    const inChars = pair ? 2 : charsOf(code);
    const over = usedBytes + inBytes > bytes || usedChars + inChars > chars;
    if (over && usedChars > 0) {
      begin = gapBefore(text, begin, at);
      ends.push(begin);
      at = begin;
      [usedBytes, usedChars] = [0, 0];
      continue;
    }
    usedBytes += inBytes;
    usedChars += inChars;
    at += pair ? 2 : 1;
  }
  ends.push(text.length);
  return ends;
}

/** Behind the last gap between words before `end`; `end` where there is none close by. */
function gapBefore(text: string, begin: number, end: number): number {
  for (let at = end; at > Math.max(begin, end - GAP); at--) if (/[\s,]/.test(text.charAt(at - 1))) return at;
  return end;
}

/** The page of this number, from 1. */
export function pageOf(text: string, ends: readonly number[], number: number): string {
  return text.slice(number < 2 ? 0 : ends[number - 2], ends[number - 1]);
}

function bytesOf(code: number): number {
  const chars = charsOf(code);
  if (chars > 1 || code < 0x80) return chars;
  return code < 0x800 ? 2 : 3;
}

/** As `JSON.stringify` writes it. */
function charsOf(code: number): number {
  if (code === 0x22 || code === 0x5c) return 2;
  if (code < 0x20) return '\b\t\n\f\r'.includes(String.fromCharCode(code)) ? 2 : 6;
  // Half of a character is written by its number.
  return isHigh(code) || isLow(code) ? 6 : 1;
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
