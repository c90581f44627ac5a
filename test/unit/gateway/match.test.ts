import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../../gateway/access/match.ts';
import { SELECTOR_NAMES } from '../../../gateway/contract/selectors.ts';
import type { ToolAnnotations } from '../../../gateway/contract/registry.ts';

/** What a glob means, said as plainly as possible; its time is exponential. */
function oracle(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const [head, rest] = [pattern[0], pattern.slice(1)];
  if (head === '*') return oracle(rest, text) || (text !== '' && oracle(pattern, text.slice(1)));
  return text !== '' && (head === '?' || head === text[0]) && oracle(rest, text.slice(1));
}

const matches = (pattern: string, name: string): boolean => compileMatcher(pattern)({ name });

describe('a glob', () => {
  it('matches what its meaning says, for every pattern and name', () => {
    const pattern = fc.array(fc.constantFrom('*', '?', 'a', 'b', '_'), { maxLength: 8 });
    const name = fc.array(fc.constantFrom('a', 'b', '_', '*', '?'), { maxLength: 10 });
    fc.assert(
      fc.property(pattern, name, (p, n) => {
        expect(matches(p.join(''), n.join(''))).toBe(oracle(p.join(''), n.join('')));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['delete*', 'deleteCollection', true],
    ['delete*', 'undelete', false],
    ['*Collection', 'deleteCollection', true],
    ['list_?', 'list_', false],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['echo', 'echo', true],
    ['echo', 'Echo', false],
    ['*', '', true],
  ])('%s of %s: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it('takes no more than linear time for each star', () => {
    const began = performance.now();
    expect(matches(`${'*a'.repeat(100)}b`, 'a'.repeat(20_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('a selector', () => {
  const all: (ToolAnnotations | undefined)[] = [
    undefined,
    {},
    { title: 'only' },
    ...[true, false].flatMap((readOnlyHint) => [
      { readOnlyHint },
      ...[true, false].map((destructiveHint) => ({ readOnlyHint, destructiveHint })),
    ]),
    { destructiveHint: true },
    { destructiveHint: false },
  ];
  const chosen = (selector: string): (ToolAnnotations | undefined)[] =>
    all.filter((annotations) => compileMatcher(selector)({ name: 'x', annotations }));

  it('@all is every tool', () => expect(chosen('@all')).toEqual(all));

  it('@read-only and @write are opposites, and what does not say writes', () => {
    expect(chosen('@read-only').every((annotations) => annotations?.readOnlyHint === true)).toBe(true);
    expect(chosen('@write')).toEqual(
      all.filter((annotations) => !chosen('@read-only').includes(annotations)),
    );
    expect(chosen('@write')).toContain(undefined);
  });

  it('@destructive is what writes unless it says that it destroys nothing', () => {
    expect(chosen('@destructive')).toEqual(
      all.filter(
        (annotations) => annotations?.readOnlyHint !== true && annotations?.destructiveHint !== false,
      ),
    );
    expect(chosen('@write')).toEqual(expect.arrayContaining(chosen('@destructive')));
    expect(chosen('@destructive')).toContain(undefined);
  });

  it('@unannotated is what says neither', () => {
    expect(chosen('@unannotated')).toEqual([undefined, {}, { title: 'only' }]);
  });

  it('that is unknown is an error that names all there are', () => {
    for (const unknown of ['@readonly', '@', '@constructor', '@toString', '@all ']) {
      expect(() => compileMatcher(unknown), unknown).toThrow(SELECTOR_NAMES.join(' '));
    }
  });

  it('is not taken for a tool of that name', () => {
    expect(matches('@read-only', '@read-only')).toBe(false);
  });
});
