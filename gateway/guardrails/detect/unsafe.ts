import {
  collapseDuplicatesTransformer,
  resolveConfusablesTransformer,
  resolveLeetSpeakTransformer,
} from 'obscenity';
import { UNSAFE_CATEGORIES, type Sensitivity, type UnsafeCategory } from '../../contract/unsafe.ts';
import { merge, NOTHING, type Detector, type Finding } from './finding.ts';
import { addMatches, type Pattern } from './pattern.ts';
import { createSentenceModel, JUDGED, readShipped } from './unsafe-model.ts';
import { UNSAFE_PHRASES } from './unsafe-phrases.ts';
import { findSentences } from './unsafe-sentences.ts';
import { createTokenizer } from './unsafe-tokens.ts';
import { withoutHarmless, wordPatterns } from './unsafe-words.ts';

export interface UnsafeOptions {
  readonly categories?: readonly UnsafeCategory[] | undefined;
  /** Words, or phrases, in which nothing is found. */
  readonly allow?: readonly string[] | undefined;
  /** Words, or phrases, that are found besides. */
  readonly words?: readonly string[] | undefined;
  /** How readily a sentence is found that has none of the known words; `off`: words and phrases alone. */
  readonly sensitivity?: Sensitivity | undefined;
}

/** A word: neither white space nor the ASCII signs that part words; `@`, `$` and `!` stand in for letters. */
const WORD = /[^\0-\x20"#%-,\-./:;<=>?[\\\]^_`{|}~\u00a0\u2000-\u200a\u2028\u2029\u3000]{3,}/g;
/** Longer ones are data. Repeated letters do not count, up to where a pattern over them would take the stack. */
const LONGEST = { letters: 48, repeated: 1_000 };
/** Words that were looked at, with what they are: texts use the same ones over and over. */
const REMEMBERED = 8_192;
/** What shows nothing and parts no words. */
const UNSEEN = /^(?:\u00ad|\u034f|[\u200b-\u200f\u2060-\u2064]|\ufeff)$/;
/** An own word's entity. */
const OWN = 'unsafe-word';

/**
 * Finds words and phrases that are unsafe by these categories, in English, and, but for `profanity`, sentences that are
 * although they have none of those. Sees through letters of other alphabets, repeated letters, and digits and signs in
 * place of letters. A sentence in which words of its category are found is not found as a whole.
 */
export function createUnsafeDetector(options: UnsafeOptions = {}): Detector {
  const { categories = UNSAFE_CATEGORIES, allow = [], words = [], sensitivity = 'normal' } = options;
  const wanted = new Set<UnsafeCategory>(categories);
  const allowed = new Set(allow.map((word) => word.toLowerCase()));
  const allowedPhrases = allow.filter(isPhrase).map(literally);
  const normalise = createNormaliser();
  const own = new Set(words.filter((word) => !isPhrase(word)).map((word) => normalise(word, false)));
  const patterns = wordPatterns(wanted);
  const phrases: Pattern[] = [
    ...UNSAFE_PHRASES().filter(({ entity }) => wanted.has(entity as UnsafeCategory)),
    ...words.filter(isPhrase).map((word) => ({ entity: OWN, pattern: literally(word) })),
  ];
  const known = new Map<string, string | undefined>();
  const sentencesOf = createSentenceDetector(wanted, sensitivity, allowed);

  const named = (word: string): string | undefined => {
    if (own.has(word)) return OWN;
    return patterns.find(([, pattern]) => pattern.test(word))?.[0];
  };
  const judge = (word: string): string | undefined => {
    const lower = word.toLowerCase();
    if (allowed.has(lower) || isData(lower)) return undefined;
    const plain = withoutHarmless(lower.replace(/^[@$!]+|[@$!]+$/g, ''));
    const found = named(normalise(plain, false));
    if (found !== undefined || !isDisguised(word)) return found;
    return named(normalise(lower, true)) ?? named(normalise(lower.replace(/!+$/, ''), true));
  };
  const entityOf = (word: string): string | undefined => {
    if (word.length > LONGEST.repeated) return undefined;
    if (known.has(word)) return known.get(word);
    const parts = word.length > 4 ? partsOf(word) : undefined;
    const entity = parts === undefined ? judge(word) : parts.map(judge).find((one) => one !== undefined);
    if (known.size >= REMEMBERED) known.clear();
    known.set(word, entity);
    return entity;
  };

  return (text) => {
    const found: Finding[] = [];
    WORD.lastIndex = 0;
    for (let match = WORD.exec(text); match !== null; match = WORD.exec(text)) {
      const [word] = match;
      const entity = entityOf(word);
      if (entity !== undefined) found.push({ start: match.index, end: match.index + word.length, entity });
    }
    const spoken: Finding[] = [];
    const lower = text.toLowerCase();
    for (const { hints, ...phrase } of phrases)
      if (hints === undefined || hints.some((hint) => lower.includes(hint))) addMatches(spoken, text, phrase);
    const spans = spansOf(allowedPhrases, text);
    const named = without(merge(found, spoken), spans);
    const sentences = sentencesOf?.(text, spans) ?? NOTHING;
    if (sentences.length === 0) return named;
    return merge(named, beside(sentences, named));
  };
}

type Spans = readonly (readonly [start: number, end: number])[];

/** Finds sentences; nothing of a text within `spans` counts. Undefined where no category asks for it. */
function createSentenceDetector(
  wanted: ReadonlySet<UnsafeCategory>,
  sensitivity: Sensitivity,
  allowed: ReadonlySet<string>,
): ((text: string, spans: Spans) => readonly Finding[]) | undefined {
  if (sensitivity === 'off' || !JUDGED.some((category) => wanted.has(category))) return undefined;
  const { vocabulary, trained } = readShipped();
  const tokensOf = createTokenizer(vocabulary.has);
  const model = createSentenceModel(vocabulary, trained.networks);
  const thresholds = new Map<string, number>();
  JUDGED.forEach((category, at) => {
    if (wanted.has(category)) thresholds.set(category, trained.thresholds[sensitivity][at] ?? 1);
  });
  return (text, spans) => {
    const tokens = tokensOf(text);
    const counted = tokens.filter(
      ({ start, end }) => allowed.size === 0 || !allowed.has(text.slice(start, end).toLowerCase()),
    );
    return findSentences(spans.length === 0 ? counted : without(counted, spans), model, thresholds);
  };
}

/** The sentences in which nothing of their own category is named. Both lists are in order. */
function beside(sentences: readonly Finding[], named: readonly Finding[]): readonly Finding[] {
  let from = 0;
  return sentences.filter(({ start, end, entity }) => {
    while (named[from] !== undefined && (named[from]?.end ?? 0) <= start) from++;
    for (let at = from; (named[at]?.start ?? end) < end; at++) if (named[at]?.entity === entity) return false;
    return true;
  });
}

function isData(word: string): boolean {
  if (word.length <= LONGEST.letters) return false;
  return word.length > LONGEST.repeated || word.replace(/(.)\1+/gs, '$1').length > LONGEST.letters;
}

function spansOf(phrases: readonly RegExp[], text: string): Spans {
  return phrases
    .flatMap((phrase) =>
      Array.from(text.matchAll(phrase), ({ index, 0: { length } }) => [index, index + length] as const),
    )
    .sort((a, b) => a[0] - b[0]);
}

/** What is no part of these spans; both lists are in order. */
function without<T extends { readonly start: number; readonly end: number }>(
  found: readonly T[],
  spans: Spans,
): readonly T[] {
  if (spans.length === 0) return found;
  let at = 0;
  let reach = 0;
  return found.filter(({ start, end }) => {
    for (let span = spans[at]; span !== undefined && span[0] <= start; span = spans[++at])
      reach = Math.max(reach, span[1]);
    return end > reach;
  });
}

/** A name of code made of several words (`pushItem`): each is looked at by itself. */
function partsOf(word: string): readonly string[] | undefined {
  return /[a-z][A-Z]/.test(word) && /^[A-Za-z][a-z]+(?:[A-Z][a-z]+)+$/.test(word)
    ? word.split(/(?=[A-Z])/)
    : undefined;
}

/** Digits and signs among letters, as in `sh1t`; not in numbers, hashes and random names. */
function isDisguised(word: string): boolean {
  const letters = word.replace(/[^A-Za-z]/g, '').length;
  const signs = word.match(/[@430157!$]/g)?.length ?? 0;
  return (
    signs > 0 &&
    letters >= 2 &&
    word.length <= 16 &&
    signs <= letters &&
    !/^(?=.*\d)[0-9a-fA-F]+$/.test(word) &&
    !/\d{3}/.test(word)
  );
}

/** Letters of other alphabets and, if so, of disguises become plain ones, small, and hardly any twice in a row. */
function createNormaliser(): (word: string, disguised: boolean) => string {
  const confusables = resolveConfusablesTransformer();
  const leet = resolveLeetSpeakTransformer();
  const doubles = collapseDuplicatesTransformer({
    defaultThreshold: 1,
    customThresholds: new Map(Array.from('beolsg', (letter) => [letter, 2])),
  }).factory();
  return (word, disguised) => {
    let made = '';
    doubles.reset();
    for (const character of word) {
      const point = character.codePointAt(0) ?? 0;
      if (point >= 128 && UNSEEN.test(character)) continue;
      const plain = point < 128 ? point : (confusables.transform(point) ?? point);
      const letter = disguised && plain < 128 ? (leet.transform(plain) ?? plain) : plain;
      const small = doubles.transform(letter >= 65 && letter <= 90 ? letter + 32 : letter);
      if (small !== undefined) made += String.fromCodePoint(small);
    }
    return made;
  };
}

function isPhrase(word: string): boolean {
  return !/^[\p{L}\p{N}]{3,}$/u.test(word);
}

function literally(phrase: string): RegExp {
  const source = phrase
    .trim()
    .replace(/[[\]{}()*+?.\\^$|/-]/g, '\\$&')
    .replace(/\s+/g, '\\s{1,3}');
  return new RegExp(`(?<![\\p{L}\\p{N}_])${source}(?![\\p{L}\\p{N}_])`, 'giu');
}
