/** Words with how much each counts. */
export interface Terms {
  readonly weights: ReadonlyMap<string, number>;
  /** The sum of the weights. */
  readonly length: number;
}

/** A text with how much each of its words counts. */
export type Weighted = readonly [text: string | undefined, weight: number];

export interface RankedDocument<T> {
  readonly item: T;
  /** Several, so that what documents share is read into terms once. */
  readonly terms: readonly Terms[];
}

/** Nothing reads further into a text than this. */
const MAX_TEXT = 2_000;
const MAX_QUERY_WORDS = 16;
/** Of BM25: how soon repetition stops to count, and how much a long text counts against a document. */
const SATURATION = 4;
const LENGTH_NORM = 0.4;
/** How much a word counts that the query's word begins, and one that begins the query's word. */
const PREFIX = 0.6;
const STEM = 0.4;
const MIN_PREFIX = 2;
const MIN_STEM = 4;

const STOP_WORDS: ReadonlySet<string> = new Set(
  'a an and are as at be by can do for from how i in into is it me my of on or that the this to what which with you'.split(
    ' ',
  ),
);

/** The words of texts, those of names as people and as programs write them (`listPulls`, `list_pulls`). */
export function termsOf(texts: readonly Weighted[]): Terms {
  const weights = new Map<string, number>();
  for (const [text = '', weight] of texts) {
    const cut = text.slice(0, MAX_TEXT);
    const words = wordsOf(cut);
    const joined = simpleWordsOf(cut).filter((word) => !words.includes(word));
    for (const word of [...words, ...joined]) weights.set(word, (weights.get(word) ?? 0) + weight);
  }
  return { weights, length: sum([...weights.values()]) };
}

/**
 * The documents that hold a word of the query, the best first: by BM25 over weighted words, where a word also finds
 * those it begins and its stem, times the share of the query's words that were found. Documents of one score keep
 * their order. Only `documents` have a say in the scores.
 */
export function rank<T>(
  documents: readonly RankedDocument<T>[],
  query: string,
): { readonly item: T; readonly score: number }[] {
  const words = queryWords(query);
  const lengths = documents.map(({ terms }) => sum(terms.map(({ length }) => length)));
  const average = sum(lengths) / Math.max(documents.length, 1) || 1;
  const scores = documents.map(() => 0);
  const found = documents.map(() => 0);
  for (const word of words) {
    const frequencies = documents.map(({ terms }) => sum(terms.map((part) => frequency(part, word))));
    const holders = frequencies.filter((value) => value > 0).length;
    const rarity = Math.log(1 + (documents.length - holders + 0.5) / (holders + 0.5));
    frequencies.forEach((value, index) => {
      if (value === 0) return;
      const norm = 1 - LENGTH_NORM + (LENGTH_NORM * (lengths[index] ?? 0)) / average;
      scores[index] = (scores[index] ?? 0) + (rarity * value) / (value + SATURATION * norm);
      found[index] = (found[index] ?? 0) + 1;
    });
  }
  return documents
    .map(({ item }, index) => ({ item, score: ((scores[index] ?? 0) * (found[index] ?? 0)) / words.length }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
}

function queryWords(query: string): string[] {
  const words = [...new Set(wordsOf(query))];
  const telling = words.filter((word) => !STOP_WORDS.has(word));
  return (telling.length > 0 ? telling : words).slice(0, MAX_QUERY_WORDS);
}

function frequency({ weights }: Terms, word: string): number {
  let total = 0;
  for (const [term, weight] of weights) total += weight * likeness(term, word);
  return total;
}

function likeness(term: string, word: string): number {
  if (term === word) return 1;
  if (word.length >= MIN_PREFIX && term.startsWith(word)) return PREFIX;
  return term.length >= MIN_STEM && word.startsWith(term) ? STEM : 0;
}

function wordsOf(text: string): string[] {
  return simpleWordsOf(
    text.replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2').replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2'),
  );
}

/** Runs of letters and digits, without case, accents and plural. */
function simpleWordsOf(text: string): string[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).map(singular);
}

function singular(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.length > 3 && /[^sui]s$/.test(word) ? word.slice(0, -1) : word;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
