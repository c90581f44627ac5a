import { expect, it } from 'vitest';
import type { CredentialView } from '../../../gateway/contract/credentials.ts';
import { credentialWords } from '../../../gateway/contract/credential-text.ts';

const NOW = new Date(2026, 10, 24, 9, 30);
const view = (more: Partial<CredentialView>): CredentialView => ({
  server: 't:g:s',
  group: 'g',
  name: 's',
  subject: 'user:ann',
  kind: 'oauth2',
  state: 'ok',
  fields: [],
  missing: [],
  ...more,
});
const signedInAt = NOW.toISOString();

it.each<[Partial<CredentialView>, string]>([
  [{ kind: 'values', state: 'missing', missing: ['A', 'B'] }, 'Asks you for A, B.'],
  [{ kind: 'values' }, 'Has all it asks you for.'],
  [{ state: 'consent' }, 'Asks for a sign-in.'],
  [{ state: 'consent', subject: 'everyone' }, 'Asks for a sign-in for everybody.'],
  [{ state: 'consent', problem: 'it was taken back' }, 'Asks for a new sign-in: it was taken back.'],
  [{}, 'Signs in by itself.'],
  [{ signedInAt }, 'Signed in.'],
  [
    { signedInAt, renews: true, validUntil: new Date(2026, 10, 24, 10, 5).toISOString() },
    'Signed in until 10:05, renewed by itself.',
  ],
  [
    { signedInAt, validUntil: new Date(2026, 10, 25, 10, 5).toISOString() },
    'Signed in until Nov 25, 2026, 10:05.',
  ],
])('says of %j: %s', (more, words) => {
  expect(credentialWords(view(more), NOW)).toBe(words);
});
