import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Detector } from '../../../gateway/guardrails/detect/finding.ts';

/** How many texts have a category, how many of those were found, and how many that do not have it. */
export interface Count {
  readonly texts: number;
  readonly found: number;
  readonly benign: number;
  readonly wrong: number;
}

/** The labels of OpenAI's set for the categories here. One that a sample lacks is not known of it. */
const LABELS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  ...{ sexual: ['S', 'S3'], slurs: ['H', 'H2'], violence: ['V', 'V2', 'H2'], 'self-harm': ['SH'] },
};
type Moderated = Readonly<Record<string, unknown>> & { readonly prompt: string };

/**
 * `data/samples-1680.jsonl.gz` of github.com/openai/moderation-api-release (MIT). One half was looked at while the
 * training texts were written, and trained with never; the other half is measured.
 */
export function measureModerated(path: string, detect: Detector): Readonly<Record<string, Count>> {
  const samples = gunzipSync(readFileSync(path))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Moderated)
    .filter(({ prompt }) => hash(prompt) % 2 === 1)
    .map((sample) => ({ sample, entities: new Set(detect(sample.prompt).map(({ entity }) => entity)) }));
  return Object.fromEntries(
    Object.entries(LABELS).map(([category, labels]) => {
      const unsafe = samples.filter(({ sample }) => labels.some((label) => sample[label] === 1));
      const benign = samples.filter(
        ({ sample }) => labels.every((label) => sample[label] !== 1) && sample[labels[0]] === 0,
      );
      const has = ({ entities }: (typeof samples)[number]): boolean => entities.has(category);
      return [
        category,
        {
          ...{ texts: unsafe.length, found: unsafe.filter(has).length },
          ...{ benign: benign.length, wrong: benign.filter(has).length },
        },
      ];
    }),
  );
}

/** `test_suite_cases.csv` of github.com/paul-rottger/hatecheck-data (CC BY 4.0): hateful is what is found as anything. */
export function measureHateCheck(path: string, detect: Detector): Count {
  const cases = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, text, label] = /^\d+,[^,]*,\d+,("(?:[^"]|"")*"|[^,]*),(hateful|non-hateful)/.exec(line) ?? [];
      return text === undefined ? [] : [{ text: text.replace(/^"|"$/g, ''), hateful: label === 'hateful' }];
    })
    .map((one) => ({ ...one, found: detect(one.text).some(({ entity }) => entity !== 'profanity') }));
  const count = (hateful: boolean, found: boolean): number =>
    cases.filter((one) => one.hateful === hateful && (!found || one.found)).length;
  return {
    ...{ texts: count(true, false), found: count(true, true) },
    ...{ benign: count(false, false), wrong: count(false, true) },
  };
}

function hash(text: string): number {
  let made = 0;
  for (const character of text) made = (Math.imul(made, 31) + character.charCodeAt(0)) | 0;
  return made >>> 0;
}
