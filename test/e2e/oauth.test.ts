import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import {
  authorizeSchema,
  credentialListSchema,
  type CredentialView,
} from '../../gateway/contract/credentials.ts';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { TestBrowser } from '../support/browser-session.ts';
import { createWalker, signIn } from '../support/browser-walk.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';
import { startOauthProvider, type OauthProvider } from '../support/oauth-provider.ts';
import { startProtectedServer, type ProtectedServer } from '../support/protected-server.ts';

/** P100 P101 Servers that want OAuth: a real authorization server, and a server that verifies its tokens. */
let provider: OauthProvider;
let server: ProtectedServer;
let gateway: RunningGateway;
let people: People;
const api: People['api'] = (...asked) => people.api(...asked);

beforeAll(async () => {
  provider = await startOauthProvider();
  server = await startProtectedServer(provider.issuer);
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - { name: mine, url: "${server.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2 } }
      - { name: ours, url: "${server.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2, perUser: false } }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(async () => {
  await gateway.stop();
  server.close();
  await provider.close();
});

const call = (who: string, tool = 'whoami', at = 'g:mine'): Promise<ApiAnswer> =>
  api(who, 'POST', '/calls', { server: at, tool, arguments: {} });
const textOf = ({ body }: ApiAnswer): string => JSON.stringify(body['result']);
const begin = async (who: string, at = 'mine'): Promise<string> =>
  authorizeSchema.parse((await api(who, 'POST', `/credentials/g/${at}/authorize`)).body).url;
const healthOf = async (who: string, at = 'mine'): Promise<CredentialView | undefined> =>
  credentialListSchema
    .parse((await api(who, 'GET', '/credentials')).body)
    .credentials.find(({ name }) => name === at);

it('sends nobody to a server before they have signed in, and says where', async () => {
  const before = server.seen.length;
  expect(await healthOf('ann')).toMatchObject({ kind: 'oauth2', state: 'consent', subject: 'user:ann' });
  const url = await begin('ann');
  expect(url).toMatch(new RegExp(`^${gateway.address}/oauth/connect/`));
  expect(server.seen.slice(before).filter((one) => one !== undefined)).toEqual([]);
});

it('signs each person in by discovery, registration, PKCE and resource, and uses their own token', async () => {
  const done = await signIn(createWalker(), await begin('ann'), 'ann-there');
  expect(done.text).toContain('g:mine is signed in');
  await vi.waitFor(
    async () => expect(textOf(await call('ann'))).toContain('whoami: ann-there mcp:read'),
    10_000,
  );
  expect(provider.registered).toMatchObject([
    {
      client_name: 'Toolgate',
      application_type: 'native',
      redirect_uris: [`${gateway.address}/oauth/callback`],
    },
  ]);
  const [asked] = provider.authorizations;
  expect(Object.fromEntries(asked?.searchParams ?? [])).toMatchObject({
    code_challenge_method: 'S256',
    resource: server.url,
    scope: 'mcp:read offline_access',
  });
  expect(await healthOf('ann')).toMatchObject({ state: 'ok', issuer: provider.issuer, renews: true });

  const refused = await call('ben');
  expect(refused.status).toBe(403);
  expect(refused.body['detail']).toContain('/oauth/connect/');
  expect(refused.body['url']).toBe(await begin('ben'));
  await signIn(createWalker(), await begin('ben'), 'ben-there');
  expect(textOf(await call('ben'))).toContain('whoami: ben-there');
  expect(textOf(await call('ann'))).toContain('whoami: ann-there');
});

it('keeps no token in the clear', async () => {
  const used = server.seen.flatMap((one) => one?.replace('Bearer ', '') ?? []);
  expect(used.length).toBeGreaterThan(0);
  for (const file of ['secrets.enc', 'toolgate.db', 'config.json'])
    for (const token of used)
      expect(await readFile(join(gateway.dataDir, file), 'utf8').catch(() => '')).not.toContain(token);
  const leaked = await call('ann', 'leak');
  expect(leaked.body['detail']).toContain('I was asked with Bearer [token]');
  for (const token of used) expect(gateway.output()).not.toContain(token);
  expect(server.seen.some((one) => one?.includes('tg_pat') === true)).toBe(false);
});

it('is known by the address of its own metadata where it has a public one', async () => {
  const gates: RunningGateway[] = [];
  const inside = (url: URL): URL =>
    url.hostname === 'tools.test'
      ? new URL(url.pathname + url.search, `http://127.0.0.1:${portOf(gates[0])}`)
      : url;
  const reader = await startOauthProvider({
    registration: false,
    fetch: (input) =>
      fetch(inside(new URL(input instanceof Request ? input.url : input)), {
        headers: { host: 'tools.test' },
      }),
  });
  const guarded = await startProtectedServer(reader.issuer);
  const gate = await startGateway({
    config: `version: 1
listen: { tls: terminated-upstream, publicUrl: "https://tools.test" }
groups: [{ name: g, servers: [{ name: s, url: "${guarded.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2 } }] }]
`,
  });
  gates.push(gate);
  onTestFinished(async () => {
    await gate.stop();
    guarded.close();
    await reader.close();
  });
  const own = `http://127.0.0.1:${portOf(gate)}/api/v1`;
  const headers = { authorization: `Bearer ${gate.token}`, 'content-type': 'application/json' };
  const asked = await fetch(`${own}/credentials/g/s/authorize`, { method: 'POST', headers });
  const { url } = authorizeSchema.parse(await asked.json());
  expect(url).toMatch(/^https:\/\/tools\.test\/oauth\/connect\//);
  const done = await signIn(createWalker(inside), url, 'ann-there');
  expect(done.text).toContain('g:s is signed in');
  const clientId = 'https://tools.test/oauth/client-metadata.json';
  expect(reader.authorizations[0]?.searchParams.get('client_id')).toBe(clientId);
  await vi.waitFor(async () => {
    const body = JSON.stringify({ server: 'g:s', tool: 'whoami', arguments: {} });
    expect(await (await fetch(`${own}/calls`, { method: 'POST', headers, body })).text()).toContain(
      'ann-there',
    );
  }, 10_000);
});

it('lets nobody sign in for somebody else, where the gateway can know them', async () => {
  const gate = await startGateway({
    config: `version: 1
subjects: { oidc: [{ issuer: "${provider.issuer}", audience: x, console: { name: corp, clientId: c }, allowPrivateAddress: true }] }
groups: [{ name: g, access: { use: [everyone] }, servers: [{ name: s, url: "${server.url}", allowPrivateAddress: true, auth: { type: oauth2 } }] }]
`,
  });
  onTestFinished(() => gate.stop().then(() => undefined));
  const ask = async (token: string, path: string, body: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await fetch(`${gate.address}/api/v1${path}`, init)).json();
  };
  const people: Record<string, string> = {};
  for (const name of ['ann', 'ben'])
    people[name] = newTokenSchema.parse(
      await ask(gate.token, '/tokens', { name, subject: `user:${name}` }),
    ).token;
  const { url } = authorizeSchema.parse(await ask(people['ann'] ?? '', '/credentials/g/s/authorize', {}));
  const onward = `${new URL(url).pathname}/continue`;
  const stranger = await new TestBrowser(gate.address).fetch(onward);
  expect(stranger.status).toBe(403);
  expect(await stranger.text()).toContain('is not signed in to Toolgate');
  const ben = new TestBrowser(gate.address);
  await ben.signIn({ token: people['ben'] ?? '' });
  const refused = await ben.fetch(onward);
  expect(refused.status).toBe(403);
  expect(await refused.text()).toContain('is signed in to Toolgate as user:ben');
  const ann = new TestBrowser(gate.address);
  await ann.signIn({ token: people['ann'] ?? '' });
  const away = await ann.fetch(onward);
  expect(away.status).toBe(303);
  expect(away.headers.get('location')).toContain(provider.issuer);
});

it('leads back to the editor that asked, and nowhere else', async () => {
  const ask = (returnTo: string): Promise<ApiAnswer> =>
    people.api('ben', 'POST', '/credentials/g/mine/authorize', { returnTo });
  for (const wrong of ['https://evil.example', 'vscode://other.extension/signed-in', 'javascript:alert(1)'])
    expect(await ask(wrong)).toMatchObject({ status: 400, body: { field: 'returnTo' } });
  const { url } = authorizeSchema.parse((await ask('vscode://toolgate.toolgate/signed-in')).body);
  const done = await signIn(createWalker(), url, 'ben-again');
  expect(done.text).toContain('href="vscode://toolgate.toolgate/signed-in"');
});

/** The hosts it answers to stand in its log; the first is this machine's. */
function portOf(one: RunningGateway | undefined): string {
  return /"host":"on: 127\.0\.0\.1:(\d+)/.exec(one?.output() ?? '')?.[1] ?? '';
}
