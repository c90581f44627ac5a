/* eslint-disable no-misleading-character-class -- it is about characters that combine */
import { NOTHING, type Detector, type Finding } from './finding.ts';

/**
 * Code points that show nothing (Unicode's default-ignorable ones, and the fillers that are drawn empty). A longer run
 * is several: a pattern over megabytes of them would take the stack.
 */
const HIDDEN =
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]{1,100000}/gu;
const NOT_ASCII = /[^\0-\x7f]/;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** Scripts whose letters are joined or kept apart by ZWJ and ZWNJ. */
const JOINED =
  /[\p{sc=Arab}\p{sc=Syrc}\p{sc=Nkoo}\p{sc=Mong}\p{sc=Deva}\p{sc=Beng}\p{sc=Guru}\p{sc=Gujr}\p{sc=Orya}\p{sc=Taml}\p{sc=Telu}\p{sc=Knda}\p{sc=Mlym}\p{sc=Sinh}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}]/u;
/** Scripts written without spaces, where a zero-width space tells where a line may break. */
const UNSPACED = /[\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u;
const PICTURE = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\u20e3]/u;
const TAKES_STYLE = /[\p{Extended_Pictographic}\p{Emoji}\p{S}]/u;

const NAMES: Readonly<Record<number, string>> = {
  0x00ad: 'SOFT HYPHEN',
  0x034f: 'COMBINING GRAPHEME JOINER',
  0x061c: 'ARABIC LETTER MARK',
  0x180e: 'MONGOLIAN VOWEL SEPARATOR',
  0x200b: 'ZERO WIDTH SPACE',
  0x200c: 'ZERO WIDTH NON-JOINER',
  0x200d: 'ZERO WIDTH JOINER',
  0x200e: 'LEFT-TO-RIGHT MARK',
  0x200f: 'RIGHT-TO-LEFT MARK',
  0x202a: 'LEFT-TO-RIGHT EMBEDDING',
  0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING',
  0x202d: 'LEFT-TO-RIGHT OVERRIDE',
  0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x2060: 'WORD JOINER',
  0x2066: 'LEFT-TO-RIGHT ISOLATE',
  0x2067: 'RIGHT-TO-LEFT ISOLATE',
  0x2068: 'FIRST STRONG ISOLATE',
  0x2069: 'POP DIRECTIONAL ISOLATE',
  0x3164: 'HANGUL FILLER',
  0xfeff: 'ZERO WIDTH NO-BREAK SPACE',
};

/**
 * Finds runs of characters that nobody sees: zero-width ones, bidi controls, tag characters, smuggled variation
 * selectors, soft hyphens. What writing needs stays: joiners in emoji, Arabic and Indic scripts, emoji styles, flags,
 * marks of direction where there is right-to-left text, a byte order mark.
 */
export function createHiddenTextDetector(): Detector {
  return (text) => (NOT_ASCII.test(text) ? hiddenRuns(text) : NOTHING);
}

/** The text with each such run made visible: `[U+202E RIGHT-TO-LEFT OVERRIDE]`, `[hidden: "ignore all"]`. */
export function reveal(text: string): string {
  return replaceHidden(text, (run) => shown(run));
}

/** The text without such runs; what tag characters or selectors spell stands in their place. */
export function withoutHidden(text: string): string {
  return replaceHidden(text, (run) => spelt(run) ?? '');
}

/** What such runs spell, with where they stand. */
export function hiddenWords(text: string): readonly { start: number; end: number; words: string }[] {
  if (!NOT_ASCII.test(text)) return [];
  return hiddenRuns(text).flatMap(({ start, end }) => {
    const words = spelt(text.slice(start, end));
    return words === undefined ? [] : [{ start, end, words }];
  });
}

function replaceHidden(text: string, replacement: (run: string) => string): string {
  if (!NOT_ASCII.test(text)) return text;
  const runs = hiddenRuns(text);
  if (runs.length === 0) return text;
  let result = '';
  let from = 0;
  for (const { start, end } of runs) {
    result += text.slice(from, start) + replacement(text.slice(start, end));
    from = end;
  }
  return result + text.slice(from);
}

function hiddenRuns(text: string): readonly Finding[] {
  const found: Finding[] = [];
  let rightToLeft: boolean | undefined;
  HIDDEN.lastIndex = 0;
  for (let match = HIDDEN.exec(text); match !== null; match = HIDDEN.exec(text)) {
    const [run] = match;
    const start = match.index;
    const end = start + run.length;
    if (/^[\u200e\u200f\u061c]$/.test(run) && (rightToLeft ??= RIGHT_TO_LEFT.test(text))) continue;
    if (start === 0 && run === '\ufeff') continue;
    if (isWriting(run, before(text, start), String.fromCodePoint(text.codePointAt(end) ?? 0))) continue;
    found.push({ start, end, entity: entityOf(run) });
  }
  return found.length === 0 ? NOTHING : found;
}

function before(text: string, at: number): string {
  if (at === 0) return '';
  const low = text.charCodeAt(at - 1);
  const pair = at > 1 && low >= 0xdc00 && low <= 0xdfff;
  return text.slice(pair ? at - 2 : at - 1, at);
}

/** What people's writing has between these two characters. */
function isWriting(run: string, previous: string, next: string): boolean {
  if (/^\ufe0f?\u200d$/.test(run))
    return (PICTURE.test(previous) && PICTURE.test(next)) || (run.length === 1 && JOINED.test(previous));
  if (run === '\u200c') return JOINED.test(previous);
  if (run === '\u200b') return UNSPACED.test(previous) && UNSPACED.test(next);
  if (run === '\ufe0e' || run === '\ufe0f') return TAKES_STYLE.test(previous);
  if (/^[\ufe00-\ufe0d]$/.test(run)) return /[\p{S}\p{sc=Han}\p{sc=Mymr}\p{sc=Phag}]/u.test(previous);
  if (/^[\u{e0100}-\u{e01ef}]$/u.test(run)) return /\p{sc=Han}/u.test(previous);
  if (/^[\u180b-\u180f]$/.test(run)) return /\p{sc=Mong}/u.test(previous);
  if (run === '\u2060' || run === '\u034f') return JOINED.test(previous) || /\p{sc=Hebr}/u.test(previous);
  return previous === '\u{1f3f4}' && /^[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}$/u.test(run);
}

function entityOf(run: string): string {
  if (/[\u{e0000}-\u{e007f}]/u.test(run)) return 'tag-characters';
  if (/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/.test(run)) return 'bidi-control';
  if (/[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u.test(run)) return 'variation-selectors';
  if (/[\u200b-\u200d\u2060\ufeff\u180e]/.test(run)) return 'zero-width';
  return run.includes('\u00ad') ? 'soft-hyphen' : 'invisible';
}

function shown(run: string): string {
  const text = spelt(run);
  if (text !== undefined) return `[hidden: ${JSON.stringify(text)}]`;
  const points = Array.from(run, (character) => character.codePointAt(0) ?? 0);
  const first = points[0] ?? 0;
  if (points.every((point) => point === first))
    return `[${nameOf(first)}${points.length > 1 ? ` x${points.length}` : ''}]`;
  if (points.length <= 4) return points.map((point) => `[${nameOf(point)}]`).join('');
  return `[hidden: ${points.length} invisible characters]`;
}

function nameOf(point: number): string {
  const code = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  const name = NAMES[point];
  return name === undefined ? code : `${code} ${name}`;
}

/** The ASCII that tag characters, or bytes in variation selectors, spell; undefined when they spell none. */
function spelt(run: string): string | undefined {
  let tags = '';
  let bytes = '';
  for (const character of run) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xe0020 && point <= 0xe007e) tags += String.fromCharCode(point - 0xe0000);
    else if (point >= 0xfe00 && point <= 0xfe0f) bytes += String.fromCharCode(point - 0xfe00);
    else if (point >= 0xe0100 && point <= 0xe01ef) bytes += String.fromCharCode(point - 0xe0100 + 16);
  }
  if (tags !== '') return tags;
  return bytes.length >= 3 && /^[\t\n\r\x20-\x7e]+$/.test(bytes) ? bytes : undefined;
}
