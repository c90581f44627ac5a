import { markOf } from './finding.ts';
import { withoutHidden } from './hidden-text.ts';

/** Called with each word as it is looked up, and where it stands; `BREAK` ends a sentence or a field. */
export type Visit = (word: string, start: number, end: number) => void;

export const BREAK = '.';
/** What stands in place of an injection that was found: nothing goes on across it. */
export const MARK = markOf('prompt-injection');
/** What stands for names such as `list_files`, and for those that say that something is done which cannot be undone. */
export const NAME = '<name>';
export const DANGER = '<danger>';

/** A word with letters of any script, hidden characters within it, and what follows its apostrophes. */
const WORD =
  /(?:[\p{L}\p{N}\p{M}_\u00ad\u2060-\u2064]|[\u200b-\u200f]|[\ufe00-\ufe0f]|\ufeff)+(?:['’]\p{L}+){0,4}/uy;
/** What ends a sentence when one of these follows, or nothing. */
const AFTER_END = /[\s"'”)*_\]\\]/;
const WIDE_END = /[。!?]/;
/** JSON between one string and the next, and the beginning of an item of a list. */
const STRUCTURE = /"\s{0,4}[,:}\]]|[{,[:]\s{0,4}"|\n[ \t]{0,8}[-*#|>•]/y;

const DANGEROUS =
  /^(?:delete|remove|drop|destroy|erase|wipe|transfer|wire|pay|send|exec|execute|shell|bash|terminal|run|grant|sudo|merge|push|upload|create_user|purge|shutdown)/;
const LEET: Readonly<Record<string, string>> = { 0: 'o', 1: 'i', 3: 'e', 4: 'a', 5: 's', 7: 't' };
/** Letters of other scripts that look like Latin ones. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  ...{ а: 'a', е: 'e', о: 'o', р: 'p', с: 'c', х: 'x', у: 'y', і: 'i', ѕ: 's', ј: 'j', һ: 'h', ԁ: 'd' },
  ...{ к: 'k', м: 'm', т: 't', в: 'b', н: 'h', ո: 'n', ս: 'u', ɡ: 'g', ı: 'i', ʟ: 'l', ӏ: 'l' },
  ...{ α: 'a', ο: 'o', ρ: 'p', ν: 'v', ι: 'i', ε: 'e', υ: 'u', κ: 'k', τ: 't', η: 'n', χ: 'x' },
};
const LATIN = /[a-z]/;
const NOT_ASCII = /[^\0-\x7f]/;
/** A letter that stands alone is one of a word spelt out, when so many follow each other. */
const SPELT = 4;
const LONGEST_SPELT = 400;

/** A word as it is looked up: small, without accents and hidden characters, look-alikes as what they look like. */
export function foldWord(raw: string): string {
  let word = raw
    .replace(/n['’]t$/i, 'nt')
    .replace(/['’]s$/i, '')
    .toLowerCase();
  if (NOT_ASCII.test(word)) {
    word = withoutHidden(word)
      .normalize('NFKC')
      .toLowerCase()
      .normalize('NFD')
      .replace(/\p{M}+/gu, '');
    if (LATIN.test(word)) word = word.replace(/[^\0-\x7f]/gu, (letter) => LOOKALIKES[letter] ?? letter);
  }
  return word.startsWith('_') || word.endsWith('_') ? word.replace(/^_+|_+$/g, '') : word;
}

/**
 * Gives the words of a text in order, in time linear in it. Words that are written with digits for letters, or letter
 * by letter, are given as the words they stand for, where `known` knows those.
 */
export function eachWord(text: string, known: (word: string) => boolean, visit: Visit): void {
  const word = new RegExp(WORD);
  const structure = new RegExp(STRUCTURE);
  const spelling = createSpelling(known, visit);
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (isPlain(code) || code > 0x7f) {
      const end = wordEnd(text, at, word);
      if (end > at) {
        const folded = foldWord(text.slice(at, end));
        if (folded.length === 1) spelling.add(folded, at, end);
        else {
          spelling.end();
          giveWord(folded, at, end, known, visit);
        }
        at = end;
        continue;
      }
    }
    const length = endLength(text, at, code, structure);
    if (length > 0) {
      spelling.end();
      visit(BREAK, at, at + length);
    } else if (code === AT || code === COLON) visit(code === AT ? '@' : ':', at, at + 1);
    // Escapes go as one: `\nIgnore` in a text that holds JSON is no word `nIgnore`.
    const escape = code === BACKSLASH && /[nrt]/.test(text.charAt(at + 1));
    at += escape ? 2 : Math.max(length, 1);
  }
  spelling.end();
}

const AT = 0x40;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const APOSTROPHE = 0x27;

/** ASCII letters, digits and `_`. */
function isPlain(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x5f
  );
}

/** Where the word ends that begins at `at`; `at` itself where none does. */
function wordEnd(text: string, at: number, word: RegExp): number {
  let end = at;
  while (isPlain(text.charCodeAt(end))) end++;
  const next = text.charCodeAt(end);
  if (end > at && !(next > 0x7f) && next !== APOSTROPHE) return end;
  word.lastIndex = at;
  return at + (word.exec(text)?.[0].length ?? 0);
}

/** How long what ends a sentence or a field is, at a place where no word begins; 0 where nothing ends. */
function endLength(text: string, at: number, code: number, structure: RegExp): number {
  const character = text.charAt(at);
  if (character === '[' && text.startsWith(MARK, at)) return MARK.length;
  switch (character) {
    case '.':
    case '!':
    case '?':
    case ';':
      return at + 1 >= text.length || AFTER_END.test(text.charAt(at + 1)) ? 1 : 0;
    case '(':
      // A call in a program, and no aside.
      return isPlain(text.charCodeAt(at - 1)) ? 1 : 0;
    case '"':
    case '{':
    case ',':
    case '[':
    case ':':
    case '\n': {
      structure.lastIndex = at;
      const found = structure.exec(text)?.[0];
      return found === undefined ? 0 : Math.max(1, found.length - 1);
    }
    default:
      return code > 0x7f && WIDE_END.test(character) ? 1 : 0;
  }
}

/** Puts letters that stand alone together. */
function createSpelling(
  known: (word: string) => boolean,
  visit: Visit,
): { add(letter: string, start: number, end: number): void; end(): void } {
  let letters = '';
  let places: { start: number; end: number }[] = [];
  const end = (): void => {
    if (letters === '') return;
    const pieces = letters.length < SPELT ? singly(letters) : segments(letters, known);
    for (const { from, to } of pieces)
      visit(letters.slice(from, to), places[from]?.start ?? 0, places[to - 1]?.end ?? 0);
    letters = '';
    places = [];
  };
  return {
    add: (letter, start, stop) => {
      if (start - (places.at(-1)?.end ?? start) > 3 || letters.length > LONGEST_SPELT) end();
      letters += LEET[letter] ?? letter;
      places.push({ start, end: stop });
    },
    end,
  };
}

function giveWord(
  word: string,
  start: number,
  end: number,
  known: (word: string) => boolean,
  visit: Visit,
): void {
  if (known(word)) return visit(word, start, end);
  const elided = word.includes("'") || word.includes('’') ? ELIDED.exec(word) : null;
  if (elided !== null) {
    const [, article = '', rest = ''] = elided;
    const middle = Math.min(end, start + article.length);
    visit(article, start, middle);
    visit(rest, middle, end);
    return;
  }
  if (word.length <= 24 && /\d/.test(word)) {
    const plain = word.replace(/[013457]/g, (digit) => LEET[digit] ?? digit);
    if (known(plain)) return visit(plain, start, end);
    const other = word.replace(/1/g, 'l').replace(/[03457]/g, (digit) => LEET[digit] ?? digit);
    if (known(other)) return visit(other, start, end);
  }
  if (word.includes('_')) return visit(DANGEROUS.test(word) ? DANGER : NAME, start, end);
  visit(word, start, end);
}

/** An article that lost its vowel: `l'utilisateur`, `all'utente`. */
const ELIDED = /^(\p{L}{1,4})['’](.+)$/u;

interface Piece {
  readonly from: number;
  readonly to: number;
}

function singly(letters: string): readonly Piece[] {
  return Array.from({ length: letters.length }, (_letter, from) => ({ from, to: from + 1 }));
}

const LONGEST_WORD = 14;

/** The known words among letters without spaces, longest first. */
function segments(letters: string, known: (word: string) => boolean): readonly Piece[] {
  const found: Piece[] = [];
  for (let from = 0; from < letters.length;) {
    let length = Math.min(LONGEST_WORD, letters.length - from);
    while (length > 2 && !known(letters.slice(from, from + length))) length--;
    if (length > 2) found.push({ from, to: from + length });
    from += length > 2 ? length : 1;
  }
  return found;
}
