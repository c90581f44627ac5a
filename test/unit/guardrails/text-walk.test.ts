import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPiiDetector } from '../../../gateway/guardrails/detect/pii.ts';
import {
  countByEntity,
  firstFinding,
  mapStrings,
  maskStrings,
  strings,
} from '../../../gateway/guardrails/detect/text-walk.ts';

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
      const seen: [string, string][] = [];
      const before = JSON.stringify(value);
      const mapped = mapStrings(value, (text, path) => {
        seen.push([path, text]);
        return `${text}!`;
      });
      expect(seen).toEqual([...strings(value)].map(({ path, text }) => [path, text]));
      expect(JSON.stringify(value)).toBe(before);
      expect(mapStrings(mapped, (text) => text.slice(0, -1))).toEqual(value);
    }),
  );
});

test('only what holds a change is copied', () => {
  const value = { same: { deep: ['x'] }, content: [{ text: 'bob@example.com' }, { text: 'y' }] };
  const { value: masked, found } = maskStrings(value, createPiiDetector(['email']));
  expect(masked).toEqual({ same: { deep: ['x'] }, content: [{ text: '[EMAIL]' }, { text: 'y' }] });
  expect((masked as typeof value).same).toBe(value.same);
  expect((masked as typeof value).content[1]).toBe(value.content[1]);
  expect(found).toEqual([{ start: 0, end: 15, entity: 'email', path: 'content[0].text' }]);
  expect(countByEntity(found)).toEqual({ email: 1 });
});

test('a key such as __proto__ is a key like any other', () => {
  const value: unknown = JSON.parse('{"__proto__":{"a":"bob@example.com"},"b":"x"}');
  expect(JSON.stringify(maskStrings(value, createPiiDetector()).value)).toBe(
    '{"__proto__":{"a":"[EMAIL]"},"b":"x"}',
  );
});

test('the first finding tells where it is', () => {
  const value = { a: 'x', b: ['y', { c: 'to bob@example.com' }], d: 'amy@example.com' };
  expect(firstFinding(value, createPiiDetector())).toEqual({
    start: 3,
    end: 18,
    entity: 'email',
    path: 'b[1].c',
  });
  expect(firstFinding({ a: 1 }, createPiiDetector())).toBeUndefined();
});

test('a value of 128 levels is walked, one without bottom is refused', () => {
  const nested = (depth: number): unknown =>
    JSON.parse(`${'['.repeat(depth)}"bob@example.com"${']'.repeat(depth)}`);
  expect(maskStrings(nested(128), createPiiDetector()).found).toHaveLength(1);
  expect(() => maskStrings(nested(5_000), createPiiDetector())).toThrow(RangeError);
});
