import { WHOLE_SCOPE } from '../../../gateway/identity/principal.ts';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newToken } from '../../../gateway/contract/token.ts';
import { createIdentity, OWNER, type Identity } from '../../../gateway/identity/identity.ts';
import { createTokens } from '../../../gateway/identity/tokens.ts';
import { readTokenKey } from '../../../gateway/storage/token-key.ts';
import type { ConfigState, ConfigStore, TokenRecord } from '../../../gateway/storage/contracts.ts';

const KEY = Buffer.alloc(32, 7);
const HOUR = 3_600_000;

function storeOf(): ConfigStore {
  let state: ConfigState = { version: 1, tokens: [], pins: [], consents: [] };
  const listeners = new Set<(state: ConfigState) => void>();
  return {
    current: () => state,
    catchUp: () => undefined,
    update: (change) => {
      state = change(state);
      for (const listener of listeners) listener(state);
      return Promise.resolve(state);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
}

interface World {
  readonly identity: Identity;
  readonly store: ConfigStore;
  readonly clock: { now: number };
  issue(
    lifetime: number | null,
    groups?: readonly string[] | null,
  ): Promise<{ value: string; record: TokenRecord }>;
}

function world(ownerToken?: string): World {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const store = storeOf();
  const identity = createIdentity({ store, key: KEY, ownerToken, now: () => clock.now });
  return {
    identity,
    store,
    clock,
    issue: async (lifetime, groups = null) => {
      const tokens = createTokens({ store, key: KEY, now: () => clock.now });
      return tokens.create({
        name: `n${store.current().tokens.length}`,
        subject: OWNER,
        administrator: false,
        scope: { ...WHOLE_SCOPE, groups },
        expires: lifetime === null ? null : clock.now + lifetime,
      });
    },
  };
}

describe('a token', () => {
  it('P83 makes its bearer the principal it was issued for', async () => {
    const { identity, issue } = world();
    const { value, record } = await issue(null, ['common']);
    expect(identity.authenticate(value)).toEqual({
      subject: OWNER,
      tokenId: record.id,
      administrator: false,
      claims: { teams: [] },
      scope: { ...WHOLE_SCOPE, groups: ['common'] },
    });
  });

  it('is stored as a keyed hash only', async () => {
    const { store, issue } = world();
    const { value, record } = await issue(null);
    expect(JSON.stringify(store.current())).not.toContain(value.slice(7, 50));
    expect(record.hash).toMatch(/^[0-9a-f]{64}$/);
    const elsewhere = createIdentity({ store, key: Buffer.alloc(32, 8), now: Date.now });
    expect(elsewhere.authenticate(value)).toBeUndefined();
  });

  it('that nobody issued, is malformed, or is a stored hash itself, is nobody', async () => {
    const { identity, issue } = world();
    const { record } = await issue(null);
    for (const text of ['', 'tg_pat_', record.hash, record.id, newToken('pat', new Uint8Array(32))]) {
      expect(identity.authenticate(text)).toBeUndefined();
    }
  });

  it('P51 holds to the millisecond of its expiry, and no longer', async () => {
    const { identity, clock, issue } = world();
    const { value } = await issue(HOUR);
    const principal = identity.authenticate(value)!;
    clock.now += HOUR - 1;
    expect(identity.authenticate(value)).toBe(principal);
    expect(identity.holds(principal)).toBe(true);
    clock.now += 1;
    expect(identity.authenticate(value)).toBeUndefined();
    expect(identity.holds(principal)).toBe(false);
  });

  it('whose expiry cannot be read has expired', async () => {
    const { identity, store, issue } = world();
    const { value } = await issue(HOUR);
    await store.update((state) => ({
      ...state,
      tokens: state.tokens.map((token) => ({ ...token, expiresAt: 'some day' })),
    }));
    expect(identity.authenticate(value)).toBeUndefined();
  });

  it('P52 stops with its revocation, also for what is under way, and nobody else does', async () => {
    const { identity, store, issue } = world();
    const gone = await issue(null);
    const kept = await issue(null);
    const [first, second] = [identity.authenticate(gone.value)!, identity.authenticate(kept.value)!];
    await store.update((state) => ({
      ...state,
      tokens: state.tokens.filter(({ id }) => id !== gone.record.id),
    }));
    expect(identity.authenticate(gone.value)).toBeUndefined();
    expect(identity.holds(first)).toBe(false);
    expect(identity.holds(second)).toBe(true);
    expect(identity.authenticate(kept.value)).toMatchObject({ tokenId: kept.record.id });
  });
});

describe('a principal', () => {
  it('that identity did not make does not hold, whatever it says', async () => {
    const { identity, issue } = world(newToken('pat', new Uint8Array(32).fill(1)));
    const { value } = await issue(null);
    const real = identity.authenticate(value)!;
    expect(identity.holds(real)).toBe(true);
    expect(identity.holds({ ...real })).toBe(false);
    expect(identity.holds({ ...real, administrator: true })).toBe(false);
    expect(identity.holds({ ...real, tokenId: 'owner-session' })).toBe(false);
  });

  it('of another gateway does not hold', async () => {
    const here = world();
    const there = world();
    const { value } = await there.issue(null);
    expect(here.identity.holds(there.identity.authenticate(value)!)).toBe(false);
  });
});

describe('the owner’s session token', () => {
  it('makes its bearer an administrator who outlives every change of the store', async () => {
    const value = newToken('pat', new Uint8Array(32).fill(2));
    const { identity, store } = world(value);
    const owner = identity.authenticate(value)!;
    expect(owner).toMatchObject({ subject: OWNER, administrator: true, scope: WHOLE_SCOPE });
    await store.update(() => ({ version: 1, tokens: [], pins: [], consents: [] }));
    expect(identity.holds(owner)).toBe(true);
    expect(JSON.stringify(store.current())).toBe('{"version":1,"tokens":[],"pins":[],"consents":[]}');
  });

  it('is nobody’s where there is none', () => {
    expect(world().identity.authenticate(newToken('pat', new Uint8Array(32).fill(2)))).toBeUndefined();
  });
});

describe('the key of the hashes', () => {
  it('is made once, private, and the same ever after', async () => {
    const dir = join(await mkdtemp(join(tmpdir(), 'toolgate-unit-')), 'data');
    const keys = await Promise.all(Array.from({ length: 20 }, () => readTokenKey(dir)));
    expect(keys[0]).toHaveLength(32);
    for (const key of [...keys, await readTokenKey(dir)]) expect(key).toEqual(keys[0]);
    expect(await readdir(dir)).toEqual(['token.key']);
    expect((await stat(join(dir, 'token.key'))).mode & 0o777).toBe(0o600);
  });

  it('that is damaged is an error and is left as it is', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'toolgate-unit-'));
    await writeFile(join(dir, 'token.key'), 'abc');
    await expect(readTokenKey(dir)).rejects.toThrow('64 hex digits');
    expect(await readFile(join(dir, 'token.key'), 'utf8')).toBe('abc');
  });
});
