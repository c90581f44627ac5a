import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPiiDetector } from '../../../gateway/guardrails/detect/pii.ts';
import { countByEntity, maskAll } from '../../../gateway/guardrails/detect/finding.ts';
import { eachText, mapStrings } from '../../../gateway/guardrails/texts.ts';

const detect = createPiiDetector(['email']);
const masked = (value: unknown): unknown => mapStrings(value, (text) => maskAll(text, detect).text);

function stringsIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? 1 : 0;
  return Object.values(value).reduce((sum: number, inner) => sum + stringsIn(inner), 0);
}

test('a value in which nothing changes is the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(mapStrings(value, (text) => text)).toBe(value);
    }),
  );
});

test('each string is mapped once, with its place; keys and all else stay', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const seen: string[] = [];
      const looked: string[] = [];
      const before = JSON.stringify(value);
      const mapped = mapStrings(value, (text, place) => {
        seen.push(`${place.join()} ${text}`);
        return `${text}!`;
      });
      eachText(value, (text, place, isKey) => {
        if (!isKey) looked.push(`${place.join()} ${text}`);
      });
      expect(seen).toEqual(looked);
      expect(seen).toHaveLength(stringsIn(value));
      expect(JSON.stringify(value)).toBe(before);
      expect(mapStrings(mapped, (text) => text.slice(0, -1))).toEqual(value);
    }),
  );
});

test('only what holds a change is copied', () => {
  const value = { same: { deep: ['x'] }, content: [{ text: 'bob@example.com' }, { text: 'y' }] };
  const copy = masked(value) as typeof value;
  expect(copy).toEqual({ same: { deep: ['x'] }, content: [{ text: '[EMAIL]' }, { text: 'y' }] });
  expect(copy.same).toBe(value.same);
  expect(copy.content[1]).toBe(value.content[1]);
});

test('findings are counted by what they are', () => {
  expect(countByEntity(detect('bob@example.com and amy@example.com'))).toEqual({ email: 2 });
});

test('a key such as __proto__ is a key like any other', () => {
  const value: unknown = JSON.parse('{"__proto__":{"a":"bob@example.com"},"b":"x"}');
  expect(JSON.stringify(masked(value))).toBe('{"__proto__":{"a":"[EMAIL]"},"b":"x"}');
});

test('a value of 128 levels is walked, one without bottom is refused', () => {
  const nested = (depth: number, text = 'bob@example.com'): unknown =>
    JSON.parse(`${'['.repeat(depth)}"${text}"${']'.repeat(depth)}`);
  expect(masked(nested(128))).toEqual(nested(128, '[EMAIL]'));
  expect(() => masked(nested(5_000))).toThrow(RangeError);
});
