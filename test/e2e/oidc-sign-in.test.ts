import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLBACK_PATH, ISSUERS_PATH } from '../../gateway/contract/sign-in.ts';
import { TestBrowser } from '../support/browser-session.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { startOpenIdProvider, throughProvider, type OpenIdProvider } from '../support/openid-provider.ts';
import { freePort } from '../support/ports.ts';

const PEOPLE = {
  fay: { email: 'fay@example.com', email_verified: true, realm: { roles: ['finance'] } },
  eve: { email: 'eve@example.com', email_verified: true, realm: { roles: [] } },
  dan: { email: 'dan@example.com', email_verified: true },
  una: { email: 'fay@example.com', email_verified: false, realm: { roles: ['finance'] } },
  owner: { email: 'owner', email_verified: true },
};
const SECRET = 'the-consoles-own-secret-at-the-provider';
let port: number;
let corp: OpenIdProvider;
let other: OpenIdProvider;
let gateway: RunningGateway;

const clientOf = (name: string, more: object = {}) => ({
  client_id: 'console',
  redirect_uris: [`http://127.0.0.1:${port}${CALLBACK_PATH}/${name}`],
  ...more,
});

beforeAll(async () => {
  port = await freePort();
  // One tells claims at its UserInfo endpoint alone and knows a secret; one has them in the ID token of a public client.
  corp = await startOpenIdProvider(PEOPLE, 300, { clients: [clientOf('corp', { client_secret: SECRET })] });
  other = await startOpenIdProvider(PEOPLE, 300, {
    clients: [clientOf('other', { token_endpoint_auth_method: 'none' })],
    claimsInIdToken: true,
  });
  gateway = await startGateway({
    args: ['--port', String(port)],
    env: { TOOLGATE_SECRET_CONSOLE: SECRET },
    config: `version: 1
subjects:
  users: [{ name: "dan@example.com", disabled: true }]
  oidc:
    - issuer: "${corp.issuer}"
      audience: toolgate
      claims: { user: email, teams: realm.roles }
      console: { name: corp, clientId: console, clientSecret: "\${secret:CONSOLE}" }
      allowPrivateAddress: true
    - issuer: "${other.issuer}"
      audience: toolgate
      claims: { user: email, teams: realm.roles }
      console: { name: other, clientId: console }
      allowPrivateAddress: true
groups: [{ name: data, access: { use: ["team:finance"] } }, { name: hr }]
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([corp.close(), other.close()]);
});

const browser = (): TestBrowser => new TestBrowser(gateway.address);
async function begin(one: TestBrowser, name = 'corp', returnTo = '/'): Promise<URL> {
  const answer = await one.post(`${ISSUERS_PATH}/${name}`, { returnTo });
  expect(answer.status).toBe(200);
  return new URL(((await answer.json()) as { location: string }).location);
}
/** Where the gateway sends the browser when it is back. */
async function back(one: TestBrowser, url: URL | string): Promise<string | null> {
  const answer = await one.fetch(String(url));
  expect(answer.status).toBe(303);
  return answer.headers.get('location');
}
async function signIn(one: TestBrowser, person: string, name = 'corp'): Promise<string | null> {
  return back(one, await throughProvider((await begin(one, name)).href, person));
}

describe('signing in with an OpenID provider', () => {
  it('makes a browser the person whom a token of the same issuer names, in the same teams', async () => {
    for (const name of ['corp', 'other']) {
      const one = browser();
      const state = (await (await one.fetch('/api/v1/sign-in')).json()) as object;
      expect(state).toEqual({ signedIn: null, issuers: [{ name: 'corp' }, { name: 'other' }] });
      expect(await signIn(one, 'fay', name)).toBe('/');
      expect(await one.subject()).toBe('user:fay@example.com');
      const registry = (await (await one.fetch('/api/v1/registry')).json()) as { groups: { name: string }[] };
      expect(registry.groups.map((group) => group.name)).toEqual(['data']);
      expect(await one.status('/api/v1/activity')).toBe(403);
      // What the browser was known by meanwhile is gone.
      expect([...one.cookies.keys()]).toEqual([`toolgate-${port}-sign-in`]);
    }
    expect(gateway.output()).not.toContain(SECRET);
  });

  it('asks by code, PKCE S256, state and nonce, which are new each time', async () => {
    const [first, second] = [await begin(browser()), await begin(browser())];
    const known = Object.fromEntries(first.searchParams);
    expect(known).toMatchObject({
      response_type: 'code',
      client_id: 'console',
      redirect_uri: `${gateway.address}${CALLBACK_PATH}/corp`,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
    });
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(known[name]).toMatch(/^[\w-]{43}$/);
      expect(second.searchParams.get(name)).not.toBe(known[name]);
    }
  });

  it('lets nobody in who may not be: disabled, reserved, without a verified address', async () => {
    for (const person of ['dan', 'owner', 'una']) {
      const one = browser();
      expect([person, await signIn(one, person)]).toEqual([person, '/#problem=person']);
      expect(await one.subject()).toBeUndefined();
    }
  });

  it('takes a refusal of the provider for one', async () => {
    const one = browser();
    const begun = await begin(one);
    const state = begun.searchParams.get('state') ?? '';
    const answer = new URLSearchParams({ state, error: 'access_denied', iss: corp.issuer });
    expect(await back(one, `${CALLBACK_PATH}/corp?${answer.toString()}`)).toBe('/#problem=refused');
    expect(await one.subject()).toBeUndefined();
  });
});

describe('an answer that is not to this sign-in', () => {
  it('has another state, or none', async () => {
    const one = browser();
    const answer = await throughProvider((await begin(one)).href, 'fay');
    for (const state of ['', 'z'.repeat(43)]) {
      const wrong = new URL(answer);
      wrong.searchParams.set('state', state);
      expect(await back(one, wrong)).toBe('/#problem=state');
    }
    expect(await one.subject()).toBeUndefined();
    expect(await back(one, answer)).toBe('/');
  });

  it('is one that was used before', async () => {
    const one = browser();
    const answer = await throughProvider((await begin(one)).href, 'fay');
    expect(await back(one, answer)).toBe('/');
    expect(await back(one, answer)).toBe('/#problem=state');
    // A code that was spent does not serve for another sign-in either.
    const again = await begin(one);
    const replayed = new URL(answer);
    replayed.searchParams.set('state', again.searchParams.get('state') ?? '');
    expect(await back(one, replayed)).toBe('/#problem=issuer');
  });

  it('comes to another browser than the one that began', async () => {
    const [attacker, victim] = [browser(), browser()];
    const answer = await throughProvider((await begin(attacker)).href, 'eve');
    expect(await back(victim, answer)).toBe('/#problem=state');
    expect(await victim.subject()).toBeUndefined();
    // Nor when that one has begun a sign-in of its own meanwhile.
    const second = await throughProvider((await begin(attacker)).href, 'eve');
    await begin(victim);
    expect(await back(victim, second)).toBe('/#problem=state');
  });

  it('signs in the page that began, and no other of the same browser cookies', async () => {
    const one = browser();
    expect(await signIn(one, 'fay')).toBe('/');
    one.pageKey = browser().pageKey;
    expect(await one.subject()).toBeUndefined();
    expect(await one.status()).toBe(403);
  });

  it('is of another issuer: by its address, its iss, or its code', async () => {
    const one = browser();
    const ofOther = await throughProvider((await begin(one, 'other')).href, 'fay');
    const elsewhere = new URL(ofOther.href.replace(`${CALLBACK_PATH}/other`, `${CALLBACK_PATH}/corp`));
    expect(await back(one, elsewhere)).toBe('/#problem=state');
    const iss = await throughProvider((await begin(one)).href, 'fay');
    for (const wrong of [other.issuer, undefined]) {
      const answer = new URL(iss);
      answer.searchParams.set('state', (await begin(one)).searchParams.get('state') ?? '');
      if (wrong === undefined) answer.searchParams.delete('iss');
      else answer.searchParams.set('iss', wrong);
      expect(await back(one, answer)).toBe('/#problem=issuer');
    }
    const code = ofOther.searchParams.get('code') ?? '';
    const mixed = new URL(iss);
    mixed.searchParams.set('code', code);
    mixed.searchParams.set('state', (await begin(one)).searchParams.get('state') ?? '');
    expect(await back(one, mixed)).toBe('/#problem=issuer');
    expect(await one.subject()).toBeUndefined();
    expect(gateway.output()).not.toContain(code);
  });
});

it('comes back to a path of the gateway alone', async () => {
  const one = browser();
  for (const elsewhere of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '\\\\evil.example',
    'javascript:alert(1)',
    'evil.example',
    '',
  ]) {
    const answer = await one.post(`${ISSUERS_PATH}/corp`, { returnTo: elsewhere });
    expect([elsewhere, answer.status]).toEqual([elsewhere, 400]);
  }
  const odd = await throughProvider((await begin(one, 'corp', '/.//evil.example')).href, 'fay');
  expect(await back(one, odd)).toBe('/evil.example');
  const own = await throughProvider((await begin(one, 'corp', '/?a=b#c')).href, 'fay');
  expect(await back(one, own)).toBe('/?a=b#c');
});

it('begins for the own page alone', async () => {
  const one = browser();
  one.pageKey = undefined;
  expect((await one.post(`${ISSUERS_PATH}/corp`, {})).status).toBe(403);
  expect((await browser().post(`${ISSUERS_PATH}/nobody`, {})).status).toBe(404);
  const foreign = { method: 'POST', headers: { origin: 'https://evil.example' }, body: '{}' };
  expect((await browser().fetch(`${ISSUERS_PATH}/corp`, foreign)).status).toBe(403);
});

it('says so when the provider is away', async () => {
  const own = await startOpenIdProvider(PEOPLE);
  await own.close();
  const alone = await startGateway({
    config: `version: 1
subjects: { oidc: [{ issuer: "${own.issuer}", audience: x, console: { clientId: c }, allowPrivateAddress: true }] }
`,
  });
  try {
    const one = new TestBrowser(alone.address);
    const answer = await one.post(`${ISSUERS_PATH}/127.0.0.1`, {});
    expect([answer.status, await answer.json()]).toMatchObject([502, { rule: 'issuer' }]);
  } finally {
    await alone.stop();
  }
});

it('ends when the issuer is configured no more, or otherwise', async () => {
  const one = browser();
  expect(await signIn(one, 'fay', 'other')).toBe('/');
  expect(await one.status()).toBe(200);
  const text = await readFile(gateway.configFile, 'utf8');
  await writeFile(
    gateway.configFile,
    text.replace('console: { name: other, clientId: console }', 'clockSkew: 1s'),
  );
  await expect.poll(() => one.status(), { timeout: 10_000 }).toBe(401);
  expect((await browser().post(`${ISSUERS_PATH}/other`, {})).status).toBe(404);
});
