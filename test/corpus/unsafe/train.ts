import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import {
  createSentenceModel,
  JUDGED,
  readVocabulary,
  type Trained,
} from '../../../gateway/guardrails/detect/unsafe-model.ts';
import { BREAK, createTokenizer } from '../../../gateway/guardrails/detect/unsafe-tokens.ts';
import { trainNetwork, type Example } from './network.ts';
import { trainingTexts, type Sample } from './texts.ts';

/**
 * Trains the classifier of the guardrail `unsafe-content` from the committed texts and writes `unsafe-weights.bin`:
 * `node test/corpus/unsafe/train.ts`. With `--check` it compares instead; with `--validate` it prints what networks find
 * in texts of lines that they have not seen. The same texts, vocabulary and Node give the same bytes.
 */
const VECTORS = new URL('../../../gateway/guardrails/detect/unsafe-vectors.bin', import.meta.url);
const WEIGHTS = new URL('../../../gateway/guardrails/detect/unsafe-weights.bin', import.meta.url);
const SEEDS = [101, 202];
const FOLDS = 5;
/** By the order of `JUDGED`, chosen by what `--validate` prints. */
const THRESHOLDS: Trained['thresholds'] = {
  low: [0.9, 0.9, 0.9, 0.9],
  normal: [0.8, 0.75, 0.75, 0.75],
  high: [0.6, 0.55, 0.55, 0.55],
};

const vocabulary = readVocabulary(readFileSync(VECTORS));
const tokens = createTokenizer(vocabulary.has);
const nothing = new Float64Array(vocabulary.size);
const samples = trainingTexts();
const examples = samples.map(({ text, categories }): Example => ({
  rows: wordsOf(text).map((word) => Float64Array.from(vocabulary.vectorOf(word) ?? nothing)),
  labels: JUDGED.map((category) => (categories.includes(category) ? 1 : 0)),
}));
if (process.argv.includes('--validate')) validate();
else write();

function wordsOf(text: string): string[] {
  return tokens(text).flatMap(({ word }) => (word === BREAK ? [] : [word]));
}

function write(): void {
  const networks = SEEDS.map((seed) => Float32Array.from(trainNetwork(examples, vocabulary.size, seed)));
  const of = createHash('sha256').update(readFileSync(VECTORS)).update(JSON.stringify(samples)).digest('hex');
  const made = Buffer.concat([
    Buffer.from(JSON.stringify({ of, thresholds: THRESHOLDS, networks: networks.length })),
    Buffer.of(0),
    ...networks.map((weights) => Buffer.from(weights.buffer)),
  ]);
  if (!process.argv.includes('--check')) writeFileSync(WEIGHTS, made);
  else if (!made.equals(readFileSync(WEIGHTS)))
    throw new Error('unsafe-weights.bin is not what these texts give');
}

/** Each line counts as one text, however many were made of it. */
function validate(): void {
  const scored = samples.map(() => [] as readonly number[]);
  for (let fold = 0; fold < FOLDS; fold++) {
    const isOut = ({ line }: Sample): boolean => (line * 7) % FOLDS === fold;
    const seen = examples.filter((_, at) => !isOut(samples[at]!));
    const network = Float32Array.from(trainNetwork(seen, vocabulary.size, fold + 1));
    const model = createSentenceModel(vocabulary, [network]);
    samples.forEach((sample, at) => {
      if (isOut(sample)) scored[at] = model(wordsOf(sample.text));
    });
  }
  const size = new Map<number, number>();
  for (const { line } of samples) size.set(line, (size.get(line) ?? 0) + 1);
  const share = (isCounted: (sample: Sample, chance: number) => boolean, at: number): number =>
    samples.reduce(
      (sum, sample, index) =>
        isCounted(sample, scored[index]?.[at] ?? 0) ? sum + 1 / (size.get(sample.line) ?? 1) : sum,
      0,
    );
  JUDGED.forEach((category, at) => {
    const rows = [0.55, 0.6, 0.75, 0.8, 0.9].map((threshold) => {
      const all = share(({ categories }) => categories.includes(category), at);
      const right = share(
        ({ categories }, chance) => categories.includes(category) && chance >= threshold,
        at,
      );
      const wrong = share(({ categories }, chance) => categories.length === 0 && chance >= threshold, at);
      return { threshold, recall: (right / all).toFixed(2), precision: (right / (right + wrong)).toFixed(2) };
    });
    console.log(category);
    console.table(rows);
  });
}
