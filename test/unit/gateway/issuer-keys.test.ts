import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { createExternalIdentity, type ExternalIdentity } from '../../../gateway/identity/external.ts';

const ISSUER = 'https://login.example.com/tenant';
const SECOND = 1_000;

interface World {
  readonly clock: { now: number };
  readonly asked: string[];
  readonly identity: ExternalIdentity;
  /** Signs with a key from now on, which is new to everybody. */
  turn(): Promise<void>;
  token(more?: Record<string, unknown>): Promise<string>;
  document: (url: string) => unknown;
}

async function world(): Promise<World> {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const asked: string[] = [];
  let keys: JWK[] = [];
  let signing: CryptoKey | undefined;
  let count = 0;
  const it: World = {
    clock,
    asked,
    document: (url) => {
      if (url.endsWith('/keys')) return { keys };
      if (url.endsWith('/tenant/.well-known/openid-configuration'))
        return { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` };
      throw new Error('HTTP 404');
    },
    identity: createExternalIdentity({
      issuers: [
        {
          ...{ issuer: ISSUER, audience: 'us', claims: { user: 'sub' }, clockSkew: 0 },
          ...{ requiredScopes: [], allowPrivateAddress: false },
        },
      ],
      fetchJson: (url) => {
        asked.push(url);
        return Promise.resolve().then(() => it.document(url));
      },
      now: () => clock.now,
      onRefused: () => undefined,
    }),
    turn: async () => {
      const { privateKey, publicKey } = await generateKeyPair('ES256');
      keys = [{ ...(await exportJWK(publicKey)), kid: `k${++count}`, alg: 'ES256' }];
      signing = privateKey;
    },
    token: (more = {}) => {
      if (signing === undefined) throw new Error('no key yet');
      return new SignJWT({ sub: 'ann', ...more })
        .setProtectedHeader({ alg: 'ES256', kid: `k${count}` })
        .setIssuer(ISSUER)
        .setAudience('us')
        .setExpirationTime(clock.now / SECOND + 3_600)
        .sign(signing);
    },
  };
  await it.turn();
  return it;
}

describe('the keys of an issuer', () => {
  it('are read again for a key that is not known, but not more than twice a minute', async () => {
    const at = await world();
    expect(await at.identity.authenticate(await at.token())).toMatchObject({ subject: 'user:ann' });
    const before = at.asked.length;
    at.clock.now += 31 * SECOND;
    await at.turn();
    const renewed = await at.token({ jti: 'new' });
    expect(await at.identity.authenticate(renewed)).toMatchObject({ subject: 'user:ann' });
    expect(at.asked.length).toBe(before + 2);
    // A flood of unknown keys reads nothing more.
    await at.turn();
    for (let count = 0; count < 20; count++)
      expect(await at.identity.authenticate(await at.token({ jti: count }))).toBeUndefined();
    expect(at.asked.length).toBe(before + 2);
  });

  it('stay in use while the issuer is away', async () => {
    const at = await world();
    await at.identity.authenticate(await at.token());
    at.document = () => {
      throw new Error('away');
    };
    at.clock.now += 3_000 * SECOND;
    expect(await at.identity.authenticate(await at.token({ jti: 'later' }))).toMatchObject({
      subject: 'user:ann',
    });
  });

  it('are found by RFC 8414 too, and never where another speaks for the issuer', async () => {
    const at = await world();
    const metadata = (issuer: string) => (url: string) => {
      if (url.endsWith('/keys')) return keysOf();
      if (url === 'https://login.example.com/.well-known/oauth-authorization-server/tenant')
        return { issuer, jwks_uri: `${ISSUER}/keys` };
      throw new Error('HTTP 404');
    };
    const original = at.document;
    const keysOf = (): unknown => original(`${ISSUER}/keys`);
    at.document = metadata('https://evil.example.com');
    expect(await at.identity.authenticate(await at.token())).toBeUndefined();
    at.document = metadata(ISSUER);
    expect(await at.identity.authenticate(await at.token())).toMatchObject({ subject: 'user:ann' });
  });
});

describe('a principal of an issuer', () => {
  it('is the same one for a renewed token, and another when the issuer says otherwise', async () => {
    const at = await world();
    const first = await at.identity.authenticate(await at.token());
    const renewed = await at.identity.authenticate(await at.token({ jti: 'b' }));
    expect(renewed).toBe(first);
    expect(await at.identity.authenticate(await at.token({ sub: 'ben' }))).not.toBe(first);
  });

  it('holds until its newest token is over, or its issuer is not trusted as it was', async () => {
    const at = await world();
    const token = await at.token();
    const person = await at.identity.authenticate(token);
    if (person === undefined || !('subject' in person)) throw new Error('refused');
    at.clock.now += 1_800 * SECOND;
    await at.identity.authenticate(await at.token({ jti: 'b' }));
    at.clock.now += 1_801 * SECOND;
    expect(await at.identity.authenticate(token)).toBeUndefined();
    expect(at.identity.holds(person)).toBe(true);
    at.identity.apply([]);
    expect(at.identity.holds(person)).toBe(false);
    expect(at.identity.holds({ ...person })).toBe(false);
  });
});

describe('an ID token', () => {
  const expected = { issuer: ISSUER, clientId: 'us', nonce: 'n', userInfo: { sub: 'another', more: 1 } };

  it('signs in whom it names, until its issuer is configured otherwise', async () => {
    const at = await world();
    const warrant = await at.identity.signIn(await at.token({ nonce: 'n' }), expected);
    const bearer = await at.identity.authenticate(await at.token({ nonce: 'n' }));
    expect(warrant.principal).toEqual(bearer);
    at.clock.now += 100_000 * SECOND;
    expect(warrant.holds()).toBe(true);
    at.identity.apply([]);
    expect(warrant.holds()).toBe(false);
  });

  it('is of this sign-in, for this client, in time, and signed by the issuer', async () => {
    const at = await world();
    const refused = async (token: string, other: Partial<typeof expected> = {}): Promise<void> => {
      await expect(at.identity.signIn(token, { ...expected, ...other })).rejects.toThrow();
    };
    const good = await at.token({ nonce: 'n' });
    await refused(good, { nonce: 'another' });
    await refused(good, { clientId: 'them' });
    await refused(good, { issuer: 'https://other.test' });
    await refused(await at.token());
    await refused(await at.token({ nonce: 'n', azp: 'them' }));
    await refused(`${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(86)}`);
    at.clock.now += 3_601 * SECOND;
    await refused(good);
  });
});
