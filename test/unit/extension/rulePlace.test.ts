import { expect, it } from 'vitest';
import { placeOfRule } from '../../../extension/rulePlace.ts';

const TEXT = `version: 1
# Who may what.
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - name: s
        url: https://a.test/mcp
        tools:
          - { match: "delete*", effect: deny }
`;

const textOf = (rule: string): string | undefined => {
  const place = placeOfRule(TEXT, rule);
  return place && TEXT.slice(place.start, place.end).trim();
};

it('finds the line of a rule, and the nearest part of one that is not written', () => {
  expect(textOf('groups[0].servers[0].tools[0]')).toBe('{ match: "delete*", effect: deny }');
  expect(textOf('groups[0].access')).toBe('{ use: [everyone] }');
  expect(textOf('groups[0].access.manage')).toBe('{ use: [everyone] }');
  expect(textOf('groups[0].servers[0].unlistedTools')).toMatch(/^name: s/);
});

it('finds none for what is built in', () => {
  expect(textOf('token-scope')).toBeUndefined();
  expect(textOf('administrator')).toBeUndefined();
});
