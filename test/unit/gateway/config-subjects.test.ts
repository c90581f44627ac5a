import { expect, it } from 'vitest';
import { parseConfig } from '../../../gateway/config/load.ts';
import { signInNameOf } from '../../../gateway/config/subjects.ts';
import { secretUses } from '../../../gateway/config/unresolved.ts';
import { parsed } from './support.ts';

const withIssuers = (...issuers: string[]): string =>
  `version: 1\nsubjects:\n  oidc:\n${issuers.map((issuer) => `    - { audience: x, ${issuer} }\n`).join('')}`;

it.each([
  ['issuer: "https://a.test", console: { clientId: c, clientSecret: written-out }', 'console.clientSecret'],
  ['issuer: "https://a.test", console: { clientId: c, name: "a/b" }', 'console.name'],
  ['issuer: "https://a.test", console: { clientId: c, scopes: ["a b"] }', 'console.scopes[0]'],
  ['issuer: "https://a.test", requiredScopes: [\'a"b\']', 'requiredScopes[0]'],
  ['issuer: "http://a.test", console: { clientId: c }', 'console'],
])('an issuer with %s is refused', (issuer, path) => {
  const result = parseConfig(withIssuers(issuer));
  expect(result.ok ? [] : result.issues.map((issue) => issue.path)).toEqual([`subjects.oidc[0].${path}`]);
});

it('people sign in with an issuer by its name, else by its host, and by one name with one issuer', () => {
  const names = (...issuers: string[]): unknown =>
    parsed(withIssuers(...issuers)).subjects.oidc.map(signInNameOf);
  expect(
    names(
      'issuer: "https://a.test/realm", console: { clientId: c }',
      'issuer: "https://a.test/other", console: { clientId: c, name: other }',
      'issuer: "http://127.0.0.1:8080", console: { clientId: c }',
      'issuer: "https://none.test"',
      'issuer: "https://none-either.test"',
    ),
  ).toEqual(['a.test', 'other', '127.0.0.1', undefined, undefined]);
  const twice = parseConfig(
    withIssuers(
      'issuer: "https://a.test/x", console: { clientId: c }',
      'issuer: "https://a.test/y", console: { clientId: c }',
    ),
  );
  expect(twice.ok ? [] : twice.issues.map(({ path }) => path)).toEqual(['subjects.oidc[1].console.name']);
});

it('the secret of the console’s client is one that is in use', () => {
  const text = withIssuers(
    'issuer: "https://a.test", console: { clientId: c, clientSecret: "${secret:OURS}" }',
  );
  expect([...secretUses(parsed(text))]).toEqual([['OURS', ['issuer https://a.test']]]);
});
