import { expect, test } from 'vitest';
import fc from 'fast-check';
import { newToken } from '../../../gateway/contract/token.ts';
import { createSecretDetector } from '../../../gateway/guardrails/detect/secrets.ts';

/** Put together here, so that no scanner takes this file for a leak. */
const A = 'aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzC7bD4eF6gH8jK0lM3nP5qR7sT9uV1wX2yZ';
const HEX = '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0';
const found = (text: string, entropy = true): [string, string][] =>
  createSecretDetector({ entropy })(text).map(({ start, end, entity }) => [entity, text.slice(start, end)]);

test.each([
  ['aws-access-key', `AKIAQ2W3E4R5T6Y7U2I3`],
  ['google-api-key', `AIza${A.slice(0, 35)}`],
  ['google-oauth-token', `ya29.${A}`],
  ['github-token', `ghp_${A.slice(0, 36)}`],
  ['github-token', `github_pat_${A}`],
  ['gitlab-token', `glpat-${A.slice(0, 20)}`],
  ['slack-token', `xoxb-123456789012-${A.slice(0, 24)}`],
  ['stripe-key', `sk_live_${A.slice(0, 24)}`],
  ['openai-key', `sk-proj-${A}`],
  ['anthropic-key', `sk-ant-api03-${A}`],
  ['npm-token', `npm_${A.slice(0, 36)}`],
  ['pypi-token', `pypi-AgEIcHlwaS5vcmc${A}`],
  ['sendgrid-key', `SG.${A.slice(0, 22)}.${A.slice(0, 43)}`],
  ['twilio-key', `SK${HEX.slice(0, 32)}`],
  ['telegram-bot-token', `123456789:A${A.slice(0, 34)}`],
  ['jwt', `eyJ${A}.eyJ${A}.${A}`],
  ['huggingface-token', `hf_${A.slice(0, 34)}`],
  ['toolgate-token', newToken('pat', new Uint8Array(32).fill(7))],
])('%s is found whole, alone and in a sentence', (entity, token) => {
  for (const entropy of [true, false]) {
    expect(found(token, entropy)).toEqual([[entity, token]]);
    expect(found(`It is ${token}, keep it.`, entropy)).toEqual([[entity, token]]);
    expect(found(JSON.stringify({ value: token }), entropy)).toEqual([[entity, token]]);
  }
});

test.each([
  ['url-password', 'postgres://app:s3cr3t!@db:5432/x', 's3cr3t!'],
  ['url-password', 'redis://:p4ss@cache', 'p4ss'],
  [
    'azure-storage-key',
    `DefaultEndpointsProtocol=https;AccountKey=${A}${A.slice(0, 18)}==;E=x`,
    `${A}${A.slice(0, 18)}==`,
  ],
  [
    'slack-webhook',
    `https://hooks.slack.com/services/T00000000/B00000000/${A.slice(0, 24)}`,
    `T00000000/B00000000/${A.slice(0, 24)}`,
  ],
  ['bearer-token', `Authorization: Bearer ${A.slice(0, 30)}`, A.slice(0, 30)],
  ['password', 'password = hunter2', 'hunter2'],
  ['password', '{"dbPassword": "correct-horse"}', 'correct-horse'],
  ['password', 'the password is Tr0ub4dor', 'Tr0ub4dor'],
  ['password', 'Server=x;Pwd=S3cret!;', 'S3cret!'],
  ['secret', `client_secret: ${A.slice(0, 20)}`, A.slice(0, 20)],
  ['api-key', `API_KEY='${HEX.slice(0, 32)}'`, HEX.slice(0, 32)],
  ['high-entropy', `aws_secret_access_key=${A.slice(0, 40)}`, A.slice(0, 40)],
  ['high-entropy', `use ${A.slice(0, 32)} there`, A.slice(0, 32)],
])('%s: in %s only the secret', (entity, text, value) => {
  expect(found(text)).toEqual([[entity, value]]);
});

test('a private key is found from its first line to its last, or to the end', () => {
  const block = `-----BEGIN RSA PRIVATE KEY-----\n${A}\n${A}\n-----END RSA PRIVATE KEY-----`;
  expect(found(`key:\n${block}\nthanks`)).toEqual([['private-key', block]]);
  const cut = `-----BEGIN PRIVATE KEY-----\n${A}`;
  expect(found(cut)).toEqual([['private-key', cut]]);
});

test.each([
  'password: must be at least 8 characters',
  'Your password is required. The token is invalid.',
  'PASSWORD=${DB_PASSWORD} token: <your-token> api_key="********" secret: [SECRET]',
  'max_tokens=4096 "token_type": "Bearer" "next_page_token": "CAUQAA2938abcdefgh12"',
  'commit 44669f5a3c1b2d3e4f5061728394a5b6c7d8e9f0',
  '550e8400-e29b-41d4-a716-446655440000 and 507f1f77bcf86cd799439011',
  'node_modules/@types/node/v18/lib2/getUserById2FromDatabaseAsync.d.ts',
  'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'sha512-WLFJxLSeLwUt0Jvg7N5oYgqvHEnmQh5UkLL4O6kp7GSi5ntjbpiMx7M7NqdFaYncLD1zkoYN7zwmtJXW27zFmC==',
  'https://docs.example.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit',
  'toolu_01A09q90qw90lq917835lq9 call_Ab12Cd34Ef56Gh78Ij90Kl12',
  'https://user@example.com/path and http://localhost:3000/@vite/client',
  'PRIVATE KEY files are kept elsewhere',
  'const token = await getToken(user, options);',
])('no secret is in %j', (text) => {
  expect(found(text)).toEqual([]);
});

test('random strings are found, and only when that is asked for', () => {
  const random = fc.uint8Array({ minLength: 32, maxLength: 48 });
  let hits = 0;
  fc.assert(
    fc.property(random, (bytes) => {
      const text = Buffer.from(bytes).toString('base64url');
      hits += found(text).length;
      expect(found(text, false)).toEqual([]);
    }),
    { numRuns: 200, seed: 1 },
  );
  expect(hits).toBeGreaterThan(100);
});
