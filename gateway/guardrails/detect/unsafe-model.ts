import { readFileSync } from 'node:fs';
import type { Sensitivity } from '../../contract/unsafe.ts';
import { NUMBER } from './unsafe-tokens.ts';

/** What is judged by sentence. Not `profanity`: that is a matter of words. */
export const JUDGED = ['sexual', 'slurs', 'violence', 'self-harm'] as const;
export type JudgedCategory = (typeof JUDGED)[number];

/** Widths of the filters in words, and how many there are of each, in each of the networks. */
export const FILTERS: readonly (readonly [width: number, count: number])[] = [
  [1, 8],
  [2, 16],
  [3, 24],
  [5, 12],
];
export const FILTER_COUNT = FILTERS.reduce((sum, [, count]) => sum + count, 0);

/** Words with a vector each: `size` numbers, of about -4 to 4. */
export interface Vocabulary {
  readonly size: number;
  has(word: string): boolean;
  /** Undefined of a word it does not have. */
  vectorOf(word: string): Float32Array | undefined;
}

/** How `train.ts` writes what it learnt: JSON, a zero, then the networks' weights as 32-bit numbers. */
export interface Trained {
  /** SHA-256 of the vocabulary and the training texts. */
  readonly of: string;
  readonly thresholds: Readonly<Record<Exclude<Sensitivity, 'off'>, readonly number[]>>;
  readonly networks: readonly Float32Array[];
}

/** Says of a sentence, as words of the vocabulary, how likely it is to be unsafe by each of `JUDGED`: 0 to 1. */
export type SentenceModel = (words: readonly string[]) => readonly number[];

/** Words whose part in the filters is kept: each takes some kilobytes. */
const REMEMBERED = 2_048;

/** Reads `unsafe-vectors.bin`: three 32-bit numbers (words, size, bytes of the words), the words, four bits a number. */
export function readVocabulary(bytes: Buffer): Vocabulary {
  const [count, size, length] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
  const words = new Map(
    bytes
      .toString('utf8', 12, 12 + length)
      .split('\n')
      .map((word, at) => [word, at]),
  );
  if (words.size !== count) throw new Error(`the vocabulary has ${words.size} words, not ${count}`);
  const from = 12 + length;
  return {
    size,
    has: (word) => words.has(word),
    vectorOf: (word) => {
      const at = words.get(word === NUMBER ? 'ten' : word);
      if (at === undefined) return undefined;
      const vector = new Float32Array(size);
      for (let index = 0; index < size; index++) {
        const place = at * size + index;
        const pair = bytes[from + (place >> 1)] ?? 0;
        vector[index] = (((place & 1) === 0 ? pair >> 4 : pair & 15) - 7.5) / 3;
      }
      return vector;
    },
  };
}

export function readTrained(bytes: Buffer): Trained {
  const end = bytes.indexOf(0);
  const head = JSON.parse(bytes.toString('utf8', 0, end)) as Omit<Trained, 'networks'> & { networks: number };
  const numbers = new Float32Array(Uint8Array.from(bytes.subarray(end + 1)).buffer);
  const length = numbers.length / head.networks;
  const networks = Array.from({ length: head.networks }, (_, at) =>
    numbers.subarray(at * length, (at + 1) * length),
  );
  return { ...head, networks };
}

/** What ships: read from beside this file, or beside the built program. */
export function readShipped(): { readonly vocabulary: Vocabulary; readonly trained: Trained } {
  const bytesOf = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
  return {
    vocabulary: readVocabulary(bytesOf('./unsafe-vectors.bin')),
    trained: readTrained(bytesOf('./unsafe-weights.bin')),
  };
}

/** A network's weights in the order in which they are needed. */
interface Network {
  /** For each number of a vector, what it counts at each place of each filter: by width, then place, then filter. */
  readonly byNumber: Float32Array;
  readonly biases: Float32Array;
  /** For each category a number for each filter, and a bias. */
  readonly top: Float32Array;
}

/** So many places do the filters have together. */
const PLACES = FILTERS.reduce((sum, [width, count]) => sum + width * count, 0);

/**
 * Filters over the words of a sentence, of each its highest answer anywhere in it, and of those a linear classifier for
 * each category; of several networks the mean. Takes time linear in the words. Weights: of each filter its words one
 * after another and a bias, then of each category a number for each filter and a bias.
 */
export function createSentenceModel(
  vocabulary: Pick<Vocabulary, 'size' | 'vectorOf'>,
  weights: readonly Float32Array[],
): SentenceModel {
  const networks = weights.map((one) => prepared(one, vocabulary.size));
  const shares = new Map<string, readonly Float32Array[]>();
  const sharesOf = (word: string): readonly Float32Array[] => {
    const known = shares.get(word);
    if (known !== undefined) return known;
    const vector = vocabulary.vectorOf(word);
    const made = vector === undefined ? [] : networks.map(({ byNumber }) => shareOf(vector, byNumber));
    if (shares.size >= REMEMBERED) shares.clear();
    shares.set(word, made);
    return made;
  };
  return (words) => {
    const all = words.map(sharesOf);
    const sums = new Array<number>(JUDGED.length).fill(0);
    networks.forEach(({ biases, top }, number) => {
      const highest = answersOf(
        all.map((one) => one[number]),
        biases,
      );
      classify(highest, top).forEach((logit, at) => (sums[at] = (sums[at] ?? 0) + logit));
    });
    return sums.map((sum) => 1 / (1 + Math.exp(-sum / networks.length)));
  };
}

function prepared(weights: Float32Array, size: number): Network {
  const byNumber = new Float32Array(size * PLACES);
  const biases = new Float32Array(FILTER_COUNT);
  let [from, at, done] = [0, 0, 0];
  for (const [width, count] of FILTERS) {
    for (let filter = 0; filter < count; filter++) {
      for (let place = 0; place < width; place++)
        for (let index = 0; index < size; index++)
          byNumber[index * PLACES + at + place * count + filter] = weights[from + place * size + index] ?? 0;
      biases[done++] = weights[from + width * size] ?? 0;
      from += width * size + 1;
    }
    at += width * count;
  }
  return { byNumber, biases, top: weights.subarray(from) };
}

/** What one word adds to each filter at each place in it. */
function shareOf(vector: Float32Array, byNumber: Float32Array): Float32Array {
  const share = new Float32Array(PLACES);
  for (let index = 0; index < vector.length; index++) {
    const value = vector[index] ?? 0;
    const base = index * PLACES;
    for (let at = 0; at < PLACES; at++) share[at] = (share[at] ?? 0) + value * (byNumber[base + at] ?? 0);
  }
  return share;
}

/** Of each filter its highest answer anywhere, and at least 0. A sentence has nothing before and after it. */
function answersOf(shares: readonly (Float32Array | undefined)[], biases: Float32Array): Float32Array {
  const highest = new Float32Array(FILTER_COUNT);
  let [done, at] = [0, 0];
  for (const [width, count] of FILTERS) {
    const sums = new Float32Array(count);
    for (let first = 1 - width; first < shares.length; first++) {
      for (let filter = 0; filter < count; filter++) sums[filter] = biases[done + filter] ?? 0;
      for (let place = 0; place < width; place++) {
        const share = shares[first + place];
        if (share === undefined) continue;
        const base = at + place * count;
        for (let filter = 0; filter < count; filter++)
          sums[filter] = (sums[filter] ?? 0) + (share[base + filter] ?? 0);
      }
      for (let filter = 0; filter < count; filter++) {
        const sum = sums[filter] ?? 0;
        if (sum > (highest[done + filter] ?? 0)) highest[done + filter] = sum;
      }
    }
    done += count;
    at += width * count;
  }
  return highest;
}

function classify(highest: Float32Array, top: Float32Array): number[] {
  return JUDGED.map((_, category) => {
    const base = category * (FILTER_COUNT + 1);
    let logit = top[base + FILTER_COUNT] ?? 0;
    for (let filter = 0; filter < FILTER_COUNT; filter++)
      logit += (top[base + filter] ?? 0) * (highest[filter] ?? 0);
    return logit;
  });
}
