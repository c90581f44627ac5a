import { resolveConfusablesTransformer, resolveLeetSpeakTransformer } from 'obscenity';

/** One word or sign of a text. Offsets are UTF-16 units; `end` is exclusive. */
export interface Token {
  readonly start: number;
  readonly end: number;
  /** As the vocabulary writes it; `NUMBER`, `UNKNOWN`, or `BREAK` where a sentence ends. */
  readonly word: string;
}

export const NUMBER = '<number>';
export const UNKNOWN = '<unknown>';
export const BREAK = '<break>';

/** A mark, a line's end, a word with the signs that stand in for its letters, a number, or a sign. */
const TOKEN =
  /\[[A-Z][A-Z0-9_]{0,40}\]|\n|[\p{L}@$*\u200b-\u200d][\p{L}\p{M}\p{N}@$*!\u200b-\u200d'’]{0,39}|\p{N}+|[.!?]+(?=[\s"')\]]|$)|[,:;"()]/gu;
const CLITIC = /^(.+)(n't|'(?:ll|re|ve|m|d|s))$/;
const CLITICS: Readonly<Record<string, string>> = {
  ...{ "n't": 'not', "'ll": 'will', "'re": 'are', "'ve": 'have', "'m": 'am', "'d": 'would', "'s": 'is' },
};
/** What people write without its apostrophe, or short. */
const SHORT: ReadonlyMap<string, string> = new Map(
  (
    'im=i am|ive=i have|dont=do not|cant=can not|wont=will not|u=you|ur=your|youre=you are|theyre=they are|' +
    'didnt=did not|doesnt=does not|isnt=is not|arent=are not|wasnt=was not|shouldnt=should not|ya=you|' +
    'wouldnt=would not|couldnt=could not|gonna=going to|wanna=want to|gotta=got to|gimme=give me|cuz=because'
  )
    .split('|')
    .map((one) => one.split('=') as [string, string]),
);
const ENDINGS = ['s', 'ed', 'ing', 'er', 'ers', 'ly'];
/** Words that were looked up: texts use the same ones over and over. */
const REMEMBERED = 8_192;

/** Writes the words of a text as a vocabulary has them, which `has` says. Takes time linear in the text. */
export function createTokenizer(has: (word: string) => boolean): (text: string) => Token[] {
  const leet = resolveLeetSpeakTransformer();
  const confusables = resolveConfusablesTransformer();
  const known = new Map<string, readonly string[]>();
  const plain = (word: string, disguised: boolean): string => {
    let made = '';
    for (const character of word) {
      const point = character.codePointAt(0) ?? 0;
      if (point >= 0x200b && point <= 0x200d) continue;
      const letter = point < 128 ? point : (confusables.transform(point) ?? point);
      made += String.fromCodePoint(disguised && letter < 128 ? (leet.transform(letter) ?? letter) : letter);
    }
    return made.toLowerCase();
  };
  const lookUp = (word: string): string => {
    if (has(word)) return word;
    const bare = plain(word, false).replace(/[!*']+$/, '');
    const letters = plain(word, true).replace(/!+$/, '');
    const tries = [bare, bare.replace(/(.)\1{2,}/gs, '$1$1'), letters];
    tries.push(bare.replace(/(.)\1+/gs, '$1'), letters.replace(/(.)\1+/gs, '$1'));
    for (const ending of ENDINGS)
      if (bare.length > ending.length + 3 && bare.endsWith(ending)) {
        const stem = bare.slice(0, -ending.length);
        tries.push(stem, `${stem}e`);
      }
    return tries.find(has) ?? UNKNOWN;
  };
  const split = (word: string): readonly string[] => {
    const lower = word
      .toLowerCase()
      .replaceAll('’', "'")
      .replace(/^'+|'+$/g, '');
    const short = SHORT.get(lower.replaceAll("'", ''));
    if (short !== undefined) return short.split(' ');
    const [, stem, clitic] = CLITIC.exec(lower) ?? [];
    if (stem === undefined || clitic === undefined) return [lookUp(lower)];
    const whole =
      clitic === "n't" && (stem === 'ca' || stem === 'wo') ? (stem === 'ca' ? 'can' : 'will') : stem;
    return [lookUp(whole), CLITICS[clitic] ?? UNKNOWN];
  };
  const wordsOf = (word: string): readonly string[] => {
    const before = known.get(word);
    if (before !== undefined) return before;
    const words = split(word);
    if (known.size >= REMEMBERED) known.clear();
    known.set(word, words);
    return words;
  };
  return (text) => {
    const tokens: Token[] = [];
    for (const { 0: found, index: start } of text.matchAll(TOKEN)) {
      const end = start + found.length;
      const first = found.charAt(0);
      // A mark parts what stands before it from what follows, so that what is masked stays as it is.
      if (first === '[' || first === '\n') tokens.push({ start, end, word: BREAK });
      else if (/[.!?]/.test(first))
        tokens.push({ start, end: start + 1, word: first }, { start: end, end, word: BREAK });
      else if (/[,:;"()]/.test(first)) tokens.push({ start, end, word: first });
      else if (/\p{N}/u.test(first)) tokens.push({ start, end, word: NUMBER });
      else for (const word of wordsOf(found)) tokens.push({ start, end, word });
    }
    return tokens;
  };
}
