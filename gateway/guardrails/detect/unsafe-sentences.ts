import { NOTHING, type Finding } from './finding.ts';
import { JUDGED, type SentenceModel } from './unsafe-model.ts';
import { BREAK, NUMBER, UNKNOWN, type Token } from './unsafe-tokens.ts';

/** A longer sentence is judged in pieces of at most so many words and characters, each half in the next one. */
const LONGEST = { words: 40, chars: 400 };
/** So much of a text is looked at before a place in it for what is there to be judged as in the whole text. */
export const SENTENCE_REACH = 512;
/** Fewer known words than this, or than this share of all, are no sentence but data. */
const FEWEST = { words: 2, share: 0.6 };
/** So is what is at least this long and has as many signs as words. */
const DATA = 20;
const IS_SIGN = /^[^a-z<]/;

/** What is judged, from the first word to the last. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly words: readonly string[];
}

/**
 * Finds the sentences that are unsafe by a category of which `thresholds` has the chance from which one is. They are in
 * order; pieces of a long sentence may overlap.
 */
export function findSentences(
  tokens: readonly Token[],
  model: SentenceModel,
  thresholds: ReadonlyMap<string, number>,
): readonly Finding[] {
  const found: Finding[] = [];
  for (const { start, end, words } of pieces(tokens)) {
    if (!isSentence(words)) continue;
    const chances = model(words);
    let most = 0;
    let entity: string | undefined;
    JUDGED.forEach((category, at) => {
      const over = (chances[at] ?? 0) - (thresholds.get(category) ?? 2);
      if (over >= 0 && (entity === undefined || over > most)) [most, entity] = [over, category];
    });
    if (entity !== undefined) found.push({ start, end, entity });
  }
  return found.length === 0 ? NOTHING : found;
}

function* pieces(tokens: readonly Token[]): Generator<Piece> {
  let from = 0;
  for (let at = 0; at <= tokens.length; at++) {
    if (at < tokens.length && tokens[at]?.word !== BREAK) continue;
    yield* piecesOf(tokens.slice(from, at));
    from = at + 1;
  }
}

function* piecesOf(sentence: readonly Token[]): Generator<Piece> {
  for (let from = 0; from < sentence.length;) {
    const start = sentence[from]?.start ?? 0;
    let to = from;
    while (
      to < sentence.length &&
      to - from < LONGEST.words &&
      (sentence[to]?.end ?? 0) - start <= LONGEST.chars
    )
      to++;
    const piece = sentence.slice(from, to);
    const isWord = ({ word }: Token): boolean => !IS_SIGN.test(word);
    const words = { start: piece.find(isWord)?.start ?? start, end: piece.findLast(isWord)?.end ?? start };
    yield { ...words, words: piece.map(({ word }) => word) };
    if (to === sentence.length) return;
    from += Math.max(1, Math.floor((to - from) / 2));
  }
}

function isSentence(words: readonly string[]): boolean {
  let known = 0;
  let all = 0;
  for (const word of words) {
    if (IS_SIGN.test(word)) continue;
    all++;
    if (word !== NUMBER && word !== UNKNOWN) known++;
  }
  if (words.length >= DATA && all * 2 <= words.length) return false;
  return known >= FEWEST.words && known >= all * FEWEST.share;
}
