import { FILTER_COUNT, FILTERS, JUDGED } from '../../../gateway/guardrails/detect/unsafe-model.ts';
import { random } from './texts.ts';

/** A text as the vectors of its words, and 1 for each category of `JUDGED` that it has. */
export interface Example {
  readonly rows: readonly Float64Array[];
  readonly labels: readonly number[];
}

/** How it is trained: found with cross-validation over the training texts. */
const EPOCHS = 12;
const BATCH = 32;
const RATE = 3e-3;
const DECAY = 2e-4;
/** Shares of filters and words left out at a time, and how far each number of a vector is off. */
const DROPPED = { filters: 0.3, words: 0.08 };
const NOISE = 0.4;

interface Filter {
  readonly width: number;
  readonly from: number;
}

/** What a network made of a text, and where in it each filter answered most; -1: nowhere. */
interface Answers {
  readonly highest: Float64Array;
  readonly places: Int32Array;
}

/**
 * Weights as `createSentenceModel` reads them: of each filter its words one after another and a bias, then of each
 * category a number for each filter and a bias. The same examples and seed give the same weights.
 */
export function trainNetwork(examples: readonly Example[], size: number, seed: number): Float64Array {
  const next = random(seed);
  const { filters, top, total } = layout(size);
  const weights = initial(filters, top, total, size, next);
  const slopes = new Float64Array(total);
  const step = adam(weights, slopes, EPOCHS * Math.ceil(examples.length / BATCH));
  const order = examples.map((_, at) => at);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(order, next);
    for (let from = 0; from < order.length; from += BATCH) {
      slopes.fill(0);
      for (const at of order.slice(from, from + BATCH)) {
        const { rows, labels } = examples[at]!;
        const blurred = rows.map((row) => blur(row, next));
        const answers = answer(blurred, filters, weights, size);
        const kept = Float64Array.from({ length: FILTER_COUNT }, () =>
          next() < DROPPED.filters ? 0 : 1 / (1 - DROPPED.filters),
        );
        const blame = learnTop(answers.highest, kept, labels, weights, slopes, top);
        learnFilters(blurred, answers, blame, filters, slopes, size);
      }
      step();
    }
  }
  return weights;
}

function layout(size: number): { filters: Filter[]; top: number; total: number } {
  const filters: Filter[] = [];
  let from = 0;
  for (const [width, count] of FILTERS)
    for (let one = 0; one < count; one++) {
      filters.push({ width, from });
      from += width * size + 1;
    }
  return { filters, top: from, total: from + JUDGED.length * (FILTER_COUNT + 1) };
}

function initial(
  filters: readonly Filter[],
  top: number,
  total: number,
  size: number,
  next: () => number,
): Float64Array {
  const weights = new Float64Array(total);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  for (const { width, from } of filters)
    for (let at = 0; at < width * size; at++) weights[from + at] = normal() * Math.sqrt(6 / (width * size));
  for (let at = top; at < total; at++) weights[at] = normal() * 0.1;
  JUDGED.forEach((_, at) => (weights[top + at * (FILTER_COUNT + 1) + FILTER_COUNT] = -2));
  return weights;
}

function shuffle(order: number[], next: () => number): void {
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
}

function blur(row: Float64Array, next: () => number): Float64Array {
  if (next() < DROPPED.words) return new Float64Array(row.length);
  return row.map((value) => value + (next() + next() - 1) * 2 * NOISE);
}

function answer(
  rows: readonly Float64Array[],
  filters: readonly Filter[],
  weights: Float64Array,
  size: number,
): Answers {
  const highest = new Float64Array(FILTER_COUNT);
  const places = new Int32Array(FILTER_COUNT).fill(-1);
  filters.forEach(({ width, from }, filter) => {
    const bias = weights[from + width * size]!;
    for (let first = 1 - width; first < rows.length; first++) {
      let sum = bias;
      for (let place = 0; place < width; place++) {
        const row = rows[first + place];
        if (row === undefined) continue;
        const base = from + place * size;
        for (let at = 0; at < size; at++) sum += row[at]! * weights[base + at]!;
      }
      if (sum > highest[filter]!) [highest[filter], places[filter]] = [sum, first];
    }
  });
  return { highest, places };
}

/** The slopes of the classifiers; gives what each filter's answer has to do with the errors. */
function learnTop(
  highest: Float64Array,
  kept: Float64Array,
  labels: readonly number[],
  weights: Float64Array,
  slopes: Float64Array,
  top: number,
): Float64Array {
  const blame = new Float64Array(FILTER_COUNT);
  labels.forEach((label, category) => {
    const from = top + category * (FILTER_COUNT + 1);
    let logit = weights[from + FILTER_COUNT]!;
    for (let at = 0; at < FILTER_COUNT; at++) logit += weights[from + at]! * highest[at]! * kept[at]!;
    const error = (1 / (1 + Math.exp(-logit)) - label) / BATCH;
    slopes[from + FILTER_COUNT]! += error;
    for (let at = 0; at < FILTER_COUNT; at++) {
      slopes[from + at]! += error * highest[at]! * kept[at]!;
      blame[at]! += error * weights[from + at]! * kept[at]!;
    }
  });
  return blame;
}

function learnFilters(
  rows: readonly Float64Array[],
  { highest, places }: Answers,
  blame: Float64Array,
  filters: readonly Filter[],
  slopes: Float64Array,
  size: number,
): void {
  filters.forEach(({ width, from }, filter) => {
    if (highest[filter] === 0 || blame[filter] === 0) return;
    const error = blame[filter]!;
    slopes[from + width * size]! += error;
    for (let place = 0; place < width; place++) {
      const row = rows[places[filter]! + place];
      if (row === undefined) continue;
      const base = from + place * size;
      for (let at = 0; at < size; at++) slopes[base + at]! += error * row[at]!;
    }
  });
}

/** Adam with weight decay; the rate rises over the first hundred steps and falls to nothing until the last. */
function adam(weights: Float64Array, slopes: Float64Array, steps: number): () => void {
  const first = new Float64Array(weights.length);
  const second = new Float64Array(weights.length);
  let count = 0;
  let [left1, left2] = [1, 1];
  return () => {
    count++;
    left1 *= 0.9;
    left2 *= 0.999;
    const rate = RATE * Math.min(1, count / 100) * (1 - count / (steps + 1));
    for (let at = 0; at < weights.length; at++) {
      const slope = slopes[at]!;
      const mean = 0.9 * first[at]! + 0.1 * slope;
      const square = 0.999 * second[at]! + 0.001 * slope * slope;
      first[at] = mean;
      second[at] = square;
      const step = mean / (1 - left1) / (Math.sqrt(square / (1 - left2)) + 1e-8);
      weights[at]! -= rate * (step + DECAY * weights[at]!);
    }
  };
}
