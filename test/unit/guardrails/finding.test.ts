import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allOf, mask, maskAll, merge, type Finding } from '../../../gateway/guardrails/detect/finding.ts';
import { createHiddenTextDetector, reveal } from '../../../gateway/guardrails/detect/hidden-text.ts';
import { createPiiDetector } from '../../../gateway/guardrails/detect/pii.ts';
import { createSecretDetector } from '../../../gateway/guardrails/detect/secrets.ts';
import { growth } from '../../support/linear.ts';

const finding = fc
  .record({
    start: fc.nat(60),
    length: fc.integer({ min: 1, max: 20 }),
    entity: fc.constantFrom('a', 'b', 'c'),
  })
  .map(({ start, length, entity }): Finding => ({ start, end: start + length, entity }));
/** Texts made of what detectors look for, glued together in all ways. */
const risky = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom(
        ...[
          'bob@example.com',
          '4111 1111 1111 1111',
          '+49 171 1234567',
          'DE89370400440532013000',
          '123-45-6789',
        ],
        ...[
          'password=',
          'hunter2',
          '[EMAIL]',
          '10.1.2.3',
          'token: ',
          'a1B2c3D4e5F6g7H8i9J0k1L2',
          '://u:',
          '@h/',
          '-',
          '.',
          ' ',
        ],
        ...['\u200b', '\u202e', '\u{e0041}', '\ufe0f', '👩', '\u200d', '"', 'Bearer '],
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

test('merged findings are in order, do not overlap, and cover what each list covered', () => {
  fc.assert(
    fc.property(fc.array(finding, { maxLength: 12 }), fc.array(finding, { maxLength: 12 }), (one, two) => {
      const merged = merge(one, two);
      for (const [at, { start, end }] of merged.entries()) {
        expect(end).toBeGreaterThan(start);
        if (at > 0) expect(start).toBeGreaterThanOrEqual(merged[at - 1]!.end);
      }
      for (const { start, end } of [...one, ...two])
        expect(merged.some((each) => each.start <= start && each.end >= end)).toBe(true);
    }),
  );
});

test('of two that overlap the longest names both', () => {
  const merged = merge([{ start: 0, end: 10, entity: 'short' }], [{ start: 5, end: 30, entity: 'long' }]);
  expect(merged).toEqual([{ start: 0, end: 30, entity: 'long' }]);
});

test('a text is masked finding by finding, and one without findings is the same text', () => {
  const text = 'to bob@example.com, or call';
  expect(mask(text, createPiiDetector()(text))).toBe('to [EMAIL], or call');
  expect(mask(text, [])).toBe(text);
});

test('masking is idempotent: nothing is found in a masked text', () => {
  const detect = allOf(createPiiDetector(), createSecretDetector(), createHiddenTextDetector());
  fc.assert(
    fc.property(risky, (text) => {
      const masked = maskAll(text, detect).text;
      expect(detect(masked)).toEqual([]);
      expect(maskAll(masked, detect).text).toBe(masked);
    }),
    { numRuns: 2_000 },
  );
});

test('findings are in order, within the text, and do not overlap', () => {
  const detect = allOf(createPiiDetector(), createSecretDetector(), createHiddenTextDetector());
  fc.assert(
    fc.property(risky, (text) => {
      let from = 0;
      for (const { start, end } of detect(text)) {
        expect(start).toBeGreaterThanOrEqual(from);
        expect(end).toBeGreaterThan(start);
        from = end;
      }
      expect(from).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ...[
    'a',
    '@',
    '1',
    'a@',
    '1 ',
    '1-',
    ':',
    'ab:',
    '(',
    'password=',
    '=',
    '-----BEGIN PRIVATE KEY-----',
    'a://',
  ],
  ...[
    'a://b:c',
    '1.',
    'DE00 ',
    '%40',
    '+1',
    'eyJ',
    '/a',
    '="',
    'tel ',
    'eyJaaaaaaaaaaa.',
    'aB3',
    'sk-',
    '\u200b',
    '\u{e0041}a',
  ],
])('a text of many %j takes time linear in its length', (unit) => {
  const pii = createPiiDetector();
  const secrets = createSecretDetector();
  expect(growth((text) => [pii(text), secrets(text), reveal(text)], unit)).toBeLessThan(28);
});

test.each(['1', '1 ', 'a', 'a1', '/', '=', '\u200b'])(
  'a text of twelve megabytes of %j is looked at like any other',
  (unit) => {
    const text = `${unit.repeat(12_000_000 / unit.length)} bob@example.com password=hunter2`;
    expect(createPiiDetector()(text).at(-1)?.entity).toBe('email');
    expect(createSecretDetector()(text).at(-1)?.entity).toBe('password');
    expect(() => createHiddenTextDetector()(text)).not.toThrow();
  },
);
