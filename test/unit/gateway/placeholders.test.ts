import { describe, expect, it } from 'vitest';
import { writtenCredentials } from '../../../gateway/config/credentials.ts';
import { placeholdersOf } from '../../../gateway/config/placeholders.ts';
import { serverSchema, type ServerConfig } from '../../../gateway/config/schema.ts';
import { createPersonalCredentials } from '../../../gateway/credentials/personal.ts';
import type { SecretVault } from '../../../gateway/credentials/vault.ts';
import { fingerprint } from '../../../gateway/registry/fingerprint.ts';

const auth = {
  type: 'header',
  perUser: true,
  headers: { authorization: 'Bearer {{API_KEY}}', org: '{{ORG}}' },
};
const serverAt = (url: string): ServerConfig => serverSchema.parse({ name: 's', url, auth });
const registered = (url: string): { id: string; fingerprint: string; server: ServerConfig } => {
  const server = serverAt(url);
  return { id: 'g:s', fingerprint: fingerprint(server), server };
};

function vaultInMemory(): SecretVault {
  const values = new Map<string, string>();
  return {
    get: (name) => values.get(name),
    set: (name, value) => Promise.resolve(void values.set(name, value)),
    delete: (name) => Promise.resolve(values.delete(name)),
    list: () => [...values.keys()].map((name) => ({ name, updatedAt: null })),
    onChange: () => () => undefined,
    close: () => Promise.resolve(),
  };
}

describe('placeholders', () => {
  it('are no credentials that are written out, so that no export replaces them', () => {
    expect(writtenCredentials(serverAt('https://a.example'))).toEqual([]);
    expect(placeholdersOf(serverAt('https://a.example'))).toEqual(['API_KEY', 'ORG']);
  });

  it('go with perUser, and perUser with them', () => {
    const problem = (given: object): string =>
      serverSchema.safeParse({ name: 's', url: 'https://a.example', auth: given }).error?.issues[0]
        ?.message ?? '';
    expect(problem({ ...auth, perUser: false })).toContain('set perUser: true');
    expect(problem({ ...auth, headers: { a: 'b' } })).toContain('{{NAME}}');
    expect(problem(auth)).toBe('');
  });
});

describe('what a person gives for a server', () => {
  it('goes to that registration and that person alone', async () => {
    const personal = createPersonalCredentials(vaultInMemory());
    const here = registered('https://a.example/mcp');
    await personal.set(here, 'user:a/b@x', { API_KEY: 'k', ORG: 'o' });
    expect(personal.fill(here, 'user:a/b@x', 'Bearer {{API_KEY}} {{not one}}')).toBe('Bearer k {{not one}}');
    expect(personal.holders(here)).toEqual(['user:a/b@x']);
    for (const [registration, subject] of [
      [registered('https://b.example/mcp'), 'user:a/b@x'],
      [here, 'user:a'],
      [{ ...here, id: 'g:other' }, 'user:a/b@x'],
    ] as const) {
      expect(personal.missing(registration, subject)).toEqual(['API_KEY', 'ORG']);
      expect(personal.signature(registration, subject)).toBeUndefined();
      expect(() => personal.fill(registration, subject, '{{API_KEY}}')).toThrow('has not given API_KEY');
    }
  });

  it('is whole or counts for nothing, and its signature changes with it', async () => {
    const personal = createPersonalCredentials(vaultInMemory());
    const here = registered('https://a.example/mcp');
    await personal.set(here, 'user:a', { API_KEY: 'k' });
    expect([personal.missing(here, 'user:a'), personal.holders(here)]).toEqual([['ORG'], []]);
    await personal.set(here, 'user:a', { ORG: 'o' });
    const before = personal.signature(here, 'user:a');
    await personal.set(here, 'user:a', { ORG: 'p' });
    expect(personal.signature(here, 'user:a')).not.toBe(before);
    expect(await personal.remove(here, 'user:a')).toBe(true);
    expect(await personal.remove(here, 'user:a')).toBe(false);
    expect(personal.holders(here)).toEqual([]);
  });
});
