import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePatterns } from '../../../gateway/access/patterns.ts';
import { guardrailSchema, type Hook } from '../../../gateway/config/policies/guardrails.ts';
import type { Verdict } from '../../../gateway/guardrails/guard.ts';
import { checkTexts, judgeTexts, textGuardOf } from '../../../gateway/guardrails/text-guard.ts';
import { gatherTexts, withTexts } from '../../../gateway/guardrails/texts.ts';

/** P144 Every place of a value where somebody can say something is looked at: strings, keys, numbers. */
const guardOf = (options: object) => {
  const config = guardrailSchema.parse({ name: 'g', hooks: ['toolResult'], ...options });
  const guard = textGuardOf(config, config.kind === 'regex' ? compilePatterns(config.patterns) : []);
  if (guard === undefined) throw new Error('looks at no texts');
  return guard;
};
const check = (options: object, value: unknown, hook: Hook = 'toolArguments'): Verdict => {
  const guard = guardOf(options);
  const verdict = checkTexts(guard, 'g', { hook, value }, (texts) => judgeTexts(guard, texts));
  if (verdict instanceof Promise) throw new Error('it took a thread');
  return verdict;
};
const mutated = (options: object, value: unknown, hook?: Hook): unknown => {
  const verdict = check({ ...options, operation: 'mutate' }, value, hook);
  return verdict.is === 'change' ? verdict.value : value;
};
const PII = { kind: 'pii' };
const IMAGE = Buffer.from('ann@example.com is in the picture').toString('base64');

describe('a key called data', () => {
  it.each([
    ['arguments', 'toolArguments', { data: 'mail ann@example.com' }],
    [
      'arguments that look like a block',
      'toolArguments',
      { content: [{ type: 'image', data: '4111111111111111' }] },
    ],
    ['structured content', 'toolResult', { structuredContent: { data: 'mail ann@example.com' } }],
    [
      'structured content shaped like MCP',
      'toolResult',
      { structuredContent: { content: [{ type: 'image', data: '4111111111111111' }] } },
    ],
    ['a text block', 'toolResult', { content: [{ type: 'text', text: 'x', data: 'ann@example.com' }] }],
    ['a blob that is a text', 'toolResult', { contents: [{ uri: 'a:b', blob: 'ann@example.com' }] }],
    [
      'an image that is a text',
      'toolResult',
      { content: [{ type: 'image', mimeType: 'image/png', data: 'ann@example.com' }] },
    ],
  ] as const)('is looked at in %s', (_where, hook, value) => {
    expect(check(PII, value, hook).is).toBe('block');
    expect(JSON.stringify(mutated(PII, value, hook))).toMatch(/\[(?:EMAIL|CREDIT_CARD)\]/);
  });

  it('is passed over where MCP has base64', () => {
    const key = 'AKIAIOSFODNN7EXAMPLE';
    for (const value of [
      {
        content: [
          { type: 'image', mimeType: 'image/png', data: key },
          { type: 'audio', mimeType: 'a/b', data: IMAGE },
        ],
      },
      { content: [{ type: 'resource', resource: { uri: 'a:b', blob: key } }] },
      { contents: [{ uri: 'a:b', blob: key }] },
      { messages: [{ role: 'user', content: { type: 'image', mimeType: 'image/png', data: key } }] },
      { messages: [{ role: 'user', content: { type: 'resource', resource: { uri: 'a:b', blob: key } } }] },
    ]) {
      expect(check({ kind: 'secrets' }, value, 'toolResult').is).toBe('pass');
      expect(check({ kind: 'secrets' }, value).is).toBe('block');
    }
  });
});

describe('keys', () => {
  it('are refused, and the words do not say them', () => {
    const verdict = check(PII, { people: { 'ann@example.com': 1 } });
    expect(verdict).toEqual({ is: 'block', words: 'g found 1 email at a key of people' });
    expect(check({ kind: 'secrets' }, { ghp_012345678901234567890123456789abcdef: 1 }).is).toBe('block');
  });

  it('are masked, each to a key of its own, in their order', () => {
    const value = { 'ann@example.com': 1, '[EMAIL]': 2, b: 3, 'ben@example.com': { c: 'cleo@example.com' } };
    const masked = mutated(PII, value);
    expect(JSON.stringify(masked)).toBe('{"[EMAIL] 2":1,"[EMAIL]":2,"b":3,"[EMAIL] 3":{"c":"[EMAIL]"}}');
    expect(mutated(PII, masked)).toBe(masked);
  });

  it('of MCP itself stay, whatever a pattern says', () => {
    const options = { kind: 'regex', patterns: [{ pattern: 'content|type|text' }] };
    const result = { content: [{ type: 'text', text: 'my text' }], structuredContent: { content: 'a' } };
    expect(mutated({ ...options }, { content: [{ type: 'image', text: 'my text' }] }, 'toolResult')).toEqual({
      content: [{ type: 'image', text: 'my [G]' }],
    });
    expect(JSON.stringify(mutated(options, result, 'toolResult'))).toContain(
      '"structuredContent":{"[G]":"a"}',
    );
  });

  it('such as __proto__ are keys like any other', () => {
    const value: unknown = JSON.parse('{"__proto__":{"a":"bob@example.com"},"amy@example.com":"x"}');
    expect(JSON.stringify(mutated(PII, value))).toBe('{"__proto__":{"a":"[EMAIL]"},"[EMAIL]":"x"}');
  });
});

describe('numbers', () => {
  it('are seen as they are written', () => {
    expect(check(PII, { card: 4111111111111111 })).toEqual({
      is: 'block',
      words: 'g found 1 creditCard at card',
    });
    expect(mutated(PII, { card: 4111111111111111, count: 12 })).toEqual({ card: '[CREDIT_CARD]', count: 12 });
    expect(mutated({ kind: 'regex', patterns: [{ pattern: '^42$' }] }, [42, 421, '42'])).toEqual([
      '[G]',
      421,
      '[G]',
    ]);
  });
});

it('a value without findings is the same value, and masking what is masked changes nothing', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('ann@example.com', '4111111111111111', '[EMAIL]', '[EMAIL] 2'),
  );
  const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.constantFrom<unknown>(4111111111111111, 7, true, null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(json, (value) => {
      const before = JSON.stringify(value);
      const once = mutated(PII, value);
      expect(JSON.stringify(value)).toBe(before);
      expect(mutated(PII, once)).toBe(once);
      expect(check(PII, once).is).toBe('pass');
      if (check(PII, value).is === 'pass') expect(once).toBe(value);
    }),
  );
});

it('texts are gathered in the order in which they are put back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const wanted = { numbers: 1, hook: 'toolArguments', onlyTools: false } as const;
      const { texts } = gatherTexts(value, wanted);
      const seen: string[] = [];
      const changed = { get: (at: number) => (seen.push(texts[at] ?? ''), texts[at]) } as Map<number, string>;
      expect(withTexts(value, wanted, changed)).toBe(value);
      expect(seen).toEqual(texts);
    }),
  );
});

it('however much is found, all of it is masked', () => {
  const masked = mutated(PII, { text: 'ann@example.com '.repeat(200_000).slice(0, 60_000) });
  expect(JSON.stringify(masked)).not.toContain('@');
  const guard = guardOf({ ...PII, operation: 'mutate' });
  expect(judgeTexts(guard, ['ann@example.com '.repeat(200_000)])).toMatchObject({ found: '200000 email' });
});

it('a value without bottom is refused', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(5_000)}"x"${']'.repeat(5_000)}`);
  expect(() => check(PII, deep)).toThrow(RangeError);
});

describe('a secret that its name alone tells', () => {
  const SECRETS = { kind: 'secrets' };
  it.each([
    [{ password: 'hunter2' }, { password: '[PASSWORD]' }],
    [{ db: { DB_PASSWORD: 'correct horse 9' } }, { db: { DB_PASSWORD: '[PASSWORD]' } }],
    [
      { clientSecret: 'a1b2c3d4e5f6g7h8', user: 'ann' },
      { clientSecret: '[SECRET]', user: 'ann' },
    ],
  ])('%j', (value, masked) => {
    expect(check(SECRETS, value).is).toBe('block');
    expect(mutated(SECRETS, value)).toEqual(masked);
    expect(mutated(SECRETS, masked)).toBe(masked);
  });

  it('is none where the value tells that it is none', () => {
    for (const value of [{ nextPageToken: 'a1b2c3d4e5f6g7h8' }, { password: '' }, { token: 'next' }])
      expect(check(SECRETS, value).is).toBe('pass');
  });

  it('is told of by its place, never by its value', () => {
    const verdict = check(SECRETS, { db: { password: 'hunter2' } });
    expect(verdict).toEqual({ is: 'block', words: 'g found 1 password at db.password' });
  });
});
