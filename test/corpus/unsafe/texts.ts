import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UNSAFE_CATEGORIES, type UnsafeCategory } from '../../../gateway/contract/unsafe.ts';

/** A training text, and the line it was made of: texts of one line are alike. */
export interface Sample {
  readonly text: string;
  readonly categories: readonly UnsafeCategory[];
  readonly line: number;
}

/** So many texts are made of a line at most. */
const MOST = 12;
/** Whom texts of the category `slurs` are about, and as one of them. */
const GROUPS =
  'immigrants|refugees|foreigners|muslims|jews|black people|blacks|gay people|gays|lesbians|homosexuals|trans people|transgender people|women|disabled people|mexicans|arabs|asians|chinese people|indians|africans|christians|gypsies|white people|migrants|hindus|poor people|the disabled';
const ONES = 'immigrant|muslim|jew|black man|gay man|lesbian|trans woman|foreigner|mexican|disabled person';

/** Numbers from 0 to below 1, the same ones for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The training texts, in the same order every time. */
export function trainingTexts(): Sample[] {
  const samples: Sample[] = [];
  let number = 0;
  for (const part of ['sexual', 'slurs', 'violence', 'self-harm', 'benign'] as const)
    for (const line of readFileSync(join(import.meta.dirname, 'training', `${part}.txt`), 'utf8').split(
      '\n',
    )) {
      if (line === '' || line.startsWith('#')) continue;
      number++;
      const texts = new Set<string>();
      const next = random(number * 7919);
      for (let tries = 0; tries < MOST * 2 && texts.size < MOST; tries++) texts.add(oneOf(line, next));
      const also = /^@(\S+) /.exec(line)?.[1];
      const categories = [part, also].filter((one) => UNSAFE_CATEGORIES.some((known) => known === one));
      for (const text of texts)
        samples.push({ text, categories: categories as readonly UnsafeCategory[], line: number });
    }
  return samples;
}

function oneOf(line: string, next: () => number): string {
  const pick = (choices: string): string => {
    const all = choices.split('|');
    return all[Math.floor(next() * all.length)] ?? '';
  };
  const text = line
    .replace(/^@\S+ /, '')
    .replace(/\{([^{}]*)\}/g, (_, choices: string) => pick(choices))
    .replace(/GROUP1/g, () => pick(ONES))
    .replace(/GROUP/g, () => pick(GROUPS))
    .replace(/ +([,.?!]|'m\b)/g, '$1')
    .trim();
  // People write in small letters and without full stops as often as not.
  const shape = next();
  if (shape < 0.3) return text.toLowerCase();
  return shape < 0.7 && /\w$/.test(text) ? `${text}.` : text;
}
