import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UNSAFE_CATEGORIES, type Sensitivity } from '../../../gateway/contract/unsafe.ts';
import { createUnsafeDetector } from '../../../gateway/guardrails/detect/unsafe.ts';

/** `tuning`: the patterns were mended by it. `held-out`: written after them, and never used to change them. */
export const PARTS = ['tuning', 'held-out'] as const;
export type Part = (typeof PARTS)[number];

export interface Score {
  readonly texts: number;
  readonly found: number;
  /** Found in a text that does not have it. */
  readonly wrong: number;
  readonly precision: number;
  readonly recall: number;
}

export interface Measured {
  readonly scores: Readonly<Record<string, Score>>;
  readonly benign: number;
  /** `text: what was found`, of benign texts in which something was. */
  readonly alarms: readonly string[];
  /** Unsafe texts in which what is unsafe was not found. */
  readonly missed: readonly string[];
}

/** What the guardrail `unsafe-content` finds in texts of which it is known what they are. */
export function measureUnsafe(part: Part, sensitivity: Sensitivity = 'normal'): Measured {
  const detect = createUnsafeDetector({ sensitivity });
  const unsafe = lines(part, 'unsafe.txt').map((line) => line.split('\t') as [string, string]);
  const benign = lines(part, 'benign.txt');
  const found = unsafe.map(([category, text]) => ({ category, text, entities: entitiesOf(detect(text)) }));
  const alarms = benign.map((text) => ({ text, entities: entitiesOf(detect(text)) }));
  return {
    scores: Object.fromEntries(
      UNSAFE_CATEGORIES.map((category) => {
        const own = found.filter((one) => one.category === category);
        const right = own.filter(({ entities }) => entities.has(category)).length;
        const wrong = alarms.filter(({ entities }) => entities.has(category)).length;
        const score = { texts: own.length, found: right, wrong };
        return [
          category,
          { ...score, precision: right / Math.max(right + wrong, 1), recall: right / own.length },
        ];
      }),
    ),
    benign: benign.length,
    alarms: alarms.flatMap(({ text, entities }) =>
      entities.size === 0 ? [] : [`${text}: ${[...entities].join(', ')}`],
    ),
    missed: found.flatMap(({ category, text, entities }) =>
      entities.has(category) ? [] : [`${category}: ${text}`],
    ),
  };
}

function entitiesOf(findings: readonly { readonly entity: string }[]): ReadonlySet<string> {
  return new Set(findings.map(({ entity }) => entity));
}

/** The texts of a file, one a line. */
export function lines(part: Part, file: string): string[] {
  return readFileSync(join(import.meta.dirname, part, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}
