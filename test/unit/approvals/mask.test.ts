import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArgumentMask, visible } from '../../../gateway/approvals/mask.ts';
import { secretNamed } from '../../../gateway/guardrails/detect/secrets-assigned.ts';

/** Arguments as they are shown to whoever decides. */
const mask = createArgumentMask({
  show: (text) => text.replaceAll('known', '[k]').replaceAll('12345678', '[n]'),
  secretOf: (name) => (name === 'password' ? '[P]' : undefined),
});

describe('shown arguments', () => {
  it('hide what is secret in values, names and numbers, and what a name says is secret', () => {
    const args = {
      password: 'x',
      known: 1,
      list: ['known', { password: 'deep', pin: 12345678, on: true, none: null }],
      passwords: { password: { inner: 'seen' } },
    };
    expect(mask(args)).toEqual({
      password: '[P]',
      '[k]': 1,
      list: ['[k]', { password: '[P]', pin: '[n]', on: true, none: null }],
      passwords: { password: { inner: 'seen' } },
    });
    expect(args.password).toBe('x');
  });

  it('lose none of two names that look alike once shown, nor one that JavaScript knows', () => {
    expect(mask({ known: 1, '[k]': 2, '[k] (2)': 3 })).toEqual({ '[k]': 1, '[k] (2)': 2, '[k] (2) (2)': 3 });
    const proto = mask(JSON.parse('{"__proto__":{"a":"known"}}') as Record<string, unknown>);
    expect(JSON.stringify(proto)).toBe('{"__proto__":{"a":"[k]"}}');
  });

  it('are the arguments, where nothing is secret or hidden', () => {
    const plain = createArgumentMask({ show: (text) => text, secretOf: () => undefined });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (args) => {
        fc.pre(visible(JSON.stringify(args)) === JSON.stringify(args));
        const json = JSON.parse(JSON.stringify(args)) as Record<string, unknown>;
        fc.pre(!/\\u00|\\[rbf]/.test(JSON.stringify(json)));
        expect(JSON.stringify(plain(json))).toBe(JSON.stringify(json));
      }),
    );
  });

  it('cannot act on a terminal', () => {
    expect(visible('a\u001b[2J\u009bm\u0000\rb\r\nc\td\u2028')).toBe(
      'a[U+001B][2J[U+009B]m[U+0000][U+000D]b\r\nc\td[U+2028]',
    );
  });
});

it('names of secrets are told from those that only sound like them', () => {
  const secret = [
    'password',
    'dbPassword',
    'PASSWD',
    'pass',
    'smtp_pass',
    'token',
    'accessToken',
    'x-api-key',
  ];
  secret.push('apiKey', 'clientSecret', 'secret', 'private_key', 'AWS_SECRET_ACCESS_KEY', 'Authorization');
  for (const name of secret) expect([name, secretNamed(name)]).toEqual([name, expect.any(String)]);
  const harmless = [
    'key',
    'bypass',
    'compass',
    'nextPageToken',
    'pageToken',
    'maxTokens',
    'tokenizer',
    'author',
  ];
  harmless.push('secretary', 'passage', 'primaryKey', 'publicKey', 'idempotencyKey', 'continuation_token');
  for (const name of harmless) expect([name, secretNamed(name)]).toEqual([name, undefined]);
});
