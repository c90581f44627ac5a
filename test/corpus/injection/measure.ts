import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInjectionDetector } from '../../../gateway/guardrails/detect/injection.ts';

/** A text of the corpus, and what it is an example of. */
export interface Sample {
  readonly kind: string;
  readonly text: string;
}

export interface Measured {
  readonly part: Part;
  readonly attacks: number;
  readonly found: number;
  readonly benign: number;
  /** Benign texts in which something was found. */
  readonly alarms: number;
  readonly precision: number;
  readonly recall: number;
  readonly missed: readonly Sample[];
  readonly alarmed: readonly Sample[];
}

export const PARTS = ['tuning', 'held-out'] as const;
export type Part = (typeof PARTS)[number];

/** The texts of a part, attacks or benign ones. */
export function samples(part: Part, which: 'attacks' | 'benign'): readonly Sample[] {
  return readFileSync(join(import.meta.dirname, part, `${which}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Sample);
}

/** How well injections are told from other texts in one part of the corpus. */
export function measure(part: Part): Measured {
  const detect = createInjectionDetector();
  const finds = ({ text }: Sample): boolean => detect(text).length > 0;
  const attacks = samples(part, 'attacks');
  const benign = samples(part, 'benign');
  const missed = attacks.filter((sample) => !finds(sample));
  const alarmed = benign.filter(finds);
  const found = attacks.length - missed.length;
  return {
    ...{ part, attacks: attacks.length, found, benign: benign.length, alarms: alarmed.length },
    precision: found / (found + alarmed.length),
    recall: found / attacks.length,
    ...{ missed, alarmed },
  };
}
