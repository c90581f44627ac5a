import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutJson } from '../../../gateway/bounds/cut.ts';
import { createKeptResults } from '../../../gateway/bounds/kept-results.ts';
import { excessOf } from '../../../gateway/bounds/measure.ts';
import { canonicalJson } from '../../../gateway/contract/json.ts';

it('what is cut keeps its shape, and fits its lists and depth', () => {
  const limits = fc.record({
    maxItems: fc.integer({ min: 1, max: 4 }),
    maxDepth: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.jsonValue(), limits, (value, bounds) => {
      const cut = cutJson(value, { chars: Infinity, ...bounds });
      expect(excessOf(cut, bounds)).toBeUndefined();
      if (excessOf(value, bounds) === undefined) expect(cut).toEqual(value);
    }),
  );
});

it('equal values have one canonical text, and different ones two', () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, one]) => [key, shuffled(one)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      expect(canonicalJson(shuffled(one))).toBe(canonicalJson(one));
      expect(JSON.parse(canonicalJson(one))).toEqual(JSON.parse(JSON.stringify(one)));
      expect(canonicalJson(one) === canonicalJson(other)).toBe(
        canonicalJson(JSON.parse(JSON.stringify(one))) === canonicalJson(JSON.parse(JSON.stringify(other))),
      );
    }),
  );
});

it('a kept result is for the one who called, for a while', () => {
  let now = 0;
  const kept = createKeptResults(() => now);
  const result = {
    subject: 'user:ann',
    serverId: 'g:s',
    tool: 't',
    arguments: {},
    text: 'abc',
    ends: [1, 2, 3],
  };
  const reference = kept.keep(result) ?? '';
  expect([kept.find(reference, 'user:ann'), kept.find(reference, 'user:ben')]).toEqual([result, undefined]);
  now = 10 * 60_000;
  expect(kept.find(reference, 'user:ann')).toBeUndefined();
});

it('what was cut is not cut again', () => {
  const room = fc.record({
    chars: fc.integer({ min: 10, max: 400 }),
    maxItems: fc.integer({ min: 1, max: 5 }),
    maxDepth: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), room, (value, given) => {
      const once = cutJson(value, { ...given });
      expect(cutJson(once, { ...given })).toEqual(once);
    }),
  );
});

it('an object of very many keys is cut too', () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`key${at}`, at]));
  const cut = cutJson(many, { chars: 5_000, maxItems: Infinity, maxDepth: Infinity });
  expect(JSON.stringify(cut).length).toBeLessThan(6_000);
});
