import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markOf } from '../../../gateway/guardrails/detect/finding.ts';
import { createUnsafeDetector } from '../../../gateway/guardrails/detect/unsafe.ts';
import { replaceAll } from '../../../gateway/guardrails/text-guard.ts';
import { lines, measureUnsafe, PARTS } from '../../corpus/unsafe/measure.ts';
import { growth } from '../../support/linear.ts';

/** P145 Unsafe words and phrases are found without a service. */
const detect = createUnsafeDetector();
const found = (text: string, find = detect): string[] =>
  find(text).map(({ start, end, entity }) => `${entity}: ${text.slice(start, end)}`);
const masked = (text: string): string => replaceAll(text, detect, (_found, entity) => markOf(entity));

describe('the corpus', () => {
  const { scores, alarms, benign } = measureUnsafe('tuning');

  it.each([
    ['sexual', 0.95, 0.85],
    ['slurs', 0.9, 0.8],
    ['violence', 0.95, 0.85],
    ['self-harm', 0.95, 0.8],
    ['profanity', 0.95, 0.9],
  ])('%s is found with these floors', (category, precision, recall) => {
    const score = scores[category];
    expect(score?.texts).toBeGreaterThanOrEqual(19);
    expect(score?.precision).toBeGreaterThanOrEqual(precision);
    expect(score?.recall).toBeGreaterThanOrEqual(recall);
  });

  it('hardly any harmless text is taken for unsafe', () => {
    expect(benign).toBeGreaterThan(80);
    expect(alarms.length).toBeLessThanOrEqual(2);
  });

  it('has a part that is held out, with no text of the other, and docs/policy.md has its figures', () => {
    const all = PARTS.flatMap((part) => [...lines(part, 'unsafe.txt'), ...lines(part, 'benign.txt')]);
    expect(new Set(all).size).toBe(all.length);
    const heldOut = measureUnsafe('held-out');
    expect(lines('held-out', 'unsafe.txt').length).toBeGreaterThanOrEqual(120);
    expect(heldOut.benign).toBeGreaterThanOrEqual(200);
    const docs = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
    const percent = (share: number): string => `${Math.round(share * 100)} %`;
    for (const [category, { texts, recall, precision }] of Object.entries(heldOut.scores))
      expect(docs).toMatch(
        new RegExp(`\\| \`${category}\` .*\\| ${texts} \\| ${percent(recall)} \\| ${percent(precision)} \\|`),
      );
    expect(docs).toContain(`${heldOut.alarms.length} of ${heldOut.benign} harmless texts`);
  });
});

describe('a word', () => {
  it.each([
    ...[
      'fuck',
      'FUUUUCK',
      'fucking',
      'fuck!!',
      'sh1t',
      'b!tch',
      'a$$hole',
      'fսck',
      'ｆｕｃｋ',
      'f\u200bu\u200bck',
    ],
    ...['p0rn', 'un_fuck_it', 'x.bullshit-y', 'f**k'],
  ])('%s is found, whole', (word) => {
    expect(found(`so ${word} there`)).toHaveLength(1);
    expect(masked(`so ${word} there`)).toMatch(/\[(?:PROFANITY|SEXUAL)\]/);
  });

  it.each([
    ...[
      'Scunthorpe',
      'Penistone',
      'Essex',
      'Arsenal',
      'assassin',
      'Fukushima',
      'Wankel',
      'Pissarro',
      'Georgy',
    ],
    ...[
      'Babich',
      'analysis',
      'pushIt',
      'flushItem',
      'fk_user',
      'a55e1d9f',
      '455',
      'shiitake',
      'snigger',
      'raccoon',
    ],
    ...['Turdus', 'Titian', 'cumulative', 'Kanal', 'niggardly', 'c2hpdCBmdWNrIGFzcyBjdW50IGRpY2s='],
  ])('%s is not', (word) => {
    expect(found(`the ${word} there`)).toEqual([]);
  });

  it('may be allowed, and others may be added', () => {
    const own = createUnsafeDetector({
      ...{ categories: ['profanity'], allow: ['Bastard', 'piss off'] },
      words: ['letterhead', 'blue moon', 'a.b'],
    });
    expect(found('bastard, piss off, damn shit, porn', own)).toEqual(['profanity: shit']);
    expect(found('L3tterhead letterheads Blue\nMoon a.b aXb', own)).toEqual([
      ...['unsafe-word: L3tterhead', 'unsafe-word: Blue\nMoon', 'unsafe-word: a.b'],
    ]);
  });
});

it('a text of five megabytes without a gap is looked at', () => {
  for (const unit of ['a', 'fuck', '@'])
    expect(() => detect(unit.repeat(5_000_000 / unit.length))).not.toThrow();
});

it('only what is asked for is found', () => {
  const text = 'fuck porn faggot, I will kill you, kys';
  for (const category of ['sexual', 'slurs', 'violence', 'self-harm', 'profanity'] as const)
    expect(found(text, createUnsafeDetector({ categories: [category] }))).toEqual([
      expect.stringMatching(`^${category}: `),
    ]);
});

it('masking what is masked changes nothing, and findings are in order', () => {
  const piece = fc.constantFrom(
    ...[
      'fuck',
      'sh1t',
      'SHIT',
      'I will kill you',
      'kill myself',
      'porn',
      'faggot',
      '[SEXUAL]',
      '[PROFANITY]',
      'x',
    ],
    ...[' ', '\n', '-', '!', '$', '1', '@', 'é', '\u200b', '"', 'ass', 'your', 'how to make a ', 'bomb'],
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 16 }), (pieces) => {
      const text = pieces.join('');
      let last = 0;
      for (const { start, end } of detect(text)) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        last = end;
      }
      const once = masked(text);
      expect(detect(once)).toEqual([]);
      expect(masked(once)).toBe(once);
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  'a',
  '@',
  'fuck',
  'fuck ',
  'i will kill ',
  'how to ',
  'f*',
  'sh1',
  'ab1 ',
  'kill myself ',
  '\u200b',
  'é',
])('a text of many %j takes time linear in its length', (unit) => {
  expect(growth(createUnsafeDetector(), unit)).toBeLessThan(28);
});
