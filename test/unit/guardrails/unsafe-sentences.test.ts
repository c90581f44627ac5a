import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markOf } from '../../../gateway/guardrails/detect/finding.ts';
import { JUDGED, readShipped } from '../../../gateway/guardrails/detect/unsafe-model.ts';
import { findSentences } from '../../../gateway/guardrails/detect/unsafe-sentences.ts';
import { createTokenizer } from '../../../gateway/guardrails/detect/unsafe-tokens.ts';
import { createUnsafeDetector } from '../../../gateway/guardrails/detect/unsafe.ts';
import { guardStream, type Said } from '../../../gateway/guardrails/stream.ts';
import { replaceAll, textGuardOf } from '../../../gateway/guardrails/text-guard.ts';
import { guardrailSchema } from '../../../gateway/config/policies/guardrails.ts';
import { trainingTexts } from '../../corpus/unsafe/texts.ts';

/** P145 Sentences are found that are unsafe without a known word. */
const detect = createUnsafeDetector();
const found = (text: string, find = detect): string[] =>
  find(text).map(({ start, end, entity }) => `${entity}: ${text.slice(start, end)}`);
const masked = (text: string): string => replaceAll(text, detect, (_found, entity) => markOf(entity));

const UNSAFE = [
  ['violence', 'I will smash your skull and watch you bleed'],
  ['violence', 'He deserves to be shot and burned alive'],
  ['self-harm', 'Tonight I swallow all the pills and die'],
  ['sexual', 'She slid her hand into his pants and he moaned'],
  ['slurs', 'All immigrants are vermin and should be wiped out'],
] as const;
const THREAT = UNSAFE[0][1];
const HARMLESS = [
  'How do I kill a child process that hangs?',
  'The attacker can execute code when the master dies.',
  'Shoot me a message when the slave database is up again.',
  'The patient has a history of breast cancer.',
  'If you think about suicide, please call a crisis line.',
  'Police arrested a man after the shooting.',
  'I love my muslim neighbors.',
  '{"status":"killed","pid":42,"signal":9}',
  'for (const child of children) child.kill("SIGKILL");',
];

describe('a sentence without a known word', () => {
  it.each(UNSAFE)('is found as %s: %s', (category, text) => {
    expect(found(text, createUnsafeDetector({ sensitivity: 'off' }))).toEqual([]);
    expect(found(text)).toEqual([`${category}: ${text}`]);
    const others = ['sexual', 'slurs', 'violence', 'self-harm'] as const;
    const find = createUnsafeDetector({ categories: others.filter((other) => other !== category) });
    expect(found(text, find).filter((one) => one.startsWith(category))).toEqual([]);
  });

  it.each(HARMLESS)('is not found in %s', (text) => {
    expect(found(text)).toEqual([]);
  });

  it('is found whole among others, and other lines stay', () => {
    const text = `The weather is nice today. ${THREAT}. We met at noon.\nThanks!`;
    expect(masked(text)).toBe('The weather is nice today. [VIOLENCE]. We met at noon.\nThanks!');
  });

  it('is found in a text without full stops, in a piece that is not much longer', () => {
    const text = `${'we went to the market and bought bread '.repeat(40)}${THREAT}${' and then we sat in the garden'.repeat(40)}`;
    const [first] = detect(text);
    expect(first?.entity).toBe('violence');
    expect((first?.end ?? 0) - (first?.start ?? 0)).toBeLessThanOrEqual(400);
  });

  it('leaves the mark to the word where one of its category is known', () => {
    expect(masked('I want to kill myself')).toBe('I want to [SELF_HARM]');
  });

  it('does not count words that are allowed, nor what stands in an allowed phrase', () => {
    expect(found(THREAT, createUnsafeDetector({ allow: [THREAT] }))).toEqual([]);
    const words = THREAT.split(' ').filter((word) => word.length > 2);
    expect(found(THREAT, createUnsafeDetector({ allow: words }))).toEqual([]);
  });
});

it('the same text has the same findings, in any order of texts', () => {
  const again = createUnsafeDetector();
  for (const text of [...HARMLESS, ...UNSAFE.map(([, one]) => one)].reverse())
    expect(again(text)).toEqual(createUnsafeDetector()(text));
});

it('what ships was trained from the committed texts', () => {
  const vectors = readFileSync(
    new URL('../../../gateway/guardrails/detect/unsafe-vectors.bin', import.meta.url),
  );
  const texts = JSON.stringify(trainingTexts());
  const { trained } = readShipped();
  expect(trained.of).toBe(createHash('sha256').update(vectors).update(texts).digest('hex'));
  for (const { text } of trainingTexts()) expect(text).not.toMatch(/\{[^"]|\||GROUP/);
});

it('no text of the corpus is a training text', () => {
  const trained = new Set(trainingTexts().map(({ text }) => plain(text)));
  for (const part of ['tuning', 'held-out'])
    for (const file of ['unsafe.txt', 'benign.txt'])
      for (const line of readFileSync(
        new URL(`../../corpus/unsafe/${part}/${file}`, import.meta.url),
        'utf8',
      ).split('\n'))
        expect(line !== '' && trained.has(plain(line.split('\t').at(-1) ?? ''))).toBe(false);
  function plain(text: string): string {
    return text
      .toLowerCase()
      .replace(/[^a-z]+/g, ' ')
      .trim();
  }
});

it('each word is judged at most three times, however long a sentence is', () => {
  const { vocabulary } = readShipped();
  const tokensOf = createTokenizer(vocabulary.has);
  for (const unit of [
    'a ',
    'you will see ',
    'supercalifragilistic ',
    'x.',
    'kill you\n',
    '1 ',
    "don't ",
    ', ',
  ])
    for (const times of [10, 1_000, 20_000]) {
      const tokens = tokensOf(unit.repeat(times));
      let judged = 0;
      const model = (words: readonly string[]): readonly number[] => {
        judged += words.length;
        return JUDGED.map(() => 0);
      };
      findSentences(tokens, model, new Map());
      expect(judged).toBeLessThanOrEqual(tokens.length * 3);
    }
});

it('masking what is masked changes nothing', () => {
  const piece = fc.constantFrom(
    ...UNSAFE.flatMap(([, text]) => [text, text.slice(0, text.length / 2), text.slice(text.length / 2)]),
    ...HARMLESS,
    ...['. ', ' ', '\n', ', ', '! ', '[VIOLENCE]', '[SELF_HARM]', ' fuck ', ' kill myself ', '"', '1', 'you'],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const once = masked(pieces.join(''));
      expect(masked(once)).toBe(once);
    }),
    { numRuns: 300 },
  );
});

it('what a model says is judged as the whole text is, however it is cut in pieces', async () => {
  const filler = 'We talked about the garden for a while. The trip to the lake was long.\n';
  const text = `${filler.repeat(14)}${THREAT}. ${filler.repeat(14)}`;
  const config = guardrailSchema.parse({
    ...{ kind: 'unsafe-content', name: 'g', hooks: ['modelOutput'], operation: 'mutate' },
  });
  const guard = textGuardOf(config);
  if (guard === undefined) throw new Error('it looks at texts');
  for (const size of [7, 100, 800]) {
    let said = '';
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
      text.slice(at * size, (at + 1) * size),
    );
    const fail = (): Error => new Error('it masks');
    for await (const one of guardStream(
      saying(pieces),
      { name: 'g', mode: 'enforce', message: undefined },
      guard,
      () => undefined,
      fail,
    ))
      if ('text' in one) said += one.text;
    expect(said).toBe(text.replace(THREAT, '[VIOLENCE]'));
  }
  async function* saying(pieces: readonly string[]): AsyncIterable<Said> {
    for (const one of pieces) yield { type: 'text', text: one };
  }
});
