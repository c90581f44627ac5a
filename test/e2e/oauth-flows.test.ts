import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import {
  authorizeSchema,
  credentialListSchema,
  type CredentialView,
} from '../../gateway/contract/credentials.ts';
import { createAgentClient } from '../support/agent-client.ts';
import { createWalker, signIn } from '../support/browser-walk.ts';
import { toolgate } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';
import { connectModern } from '../support/modern.ts';
import { KNOWN_CLIENT, startOauthProvider, type OauthProvider } from '../support/oauth-provider.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { startProtectedServer, type ProtectedServer } from '../support/protected-server.ts';

/** P100 P101 P102 What becomes of sign-ins at servers: renewed, widened, refused, taken back, and waited for. */
const TTL = 4;
let provider: OauthProvider;
let server: ProtectedServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;
const api: People['api'] = (...asked) => people.api(...asked);

beforeAll(async () => {
  provider = await startOauthProvider({ ttl: TTL });
  server = await startProtectedServer(provider.issuer);
  wire = await startOpenAiWire();
  const at = `url: "${server.url}", allowPrivateAddress: true, pins: trust`;
  const known = `clientId: ${KNOWN_CLIENT.client_id}, clientSecret: "\${env:KNOWN}", issuer: "${provider.issuer}"`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone], manage: ["user:manager"] }
    servers:
      - { name: mine, ${at}, auth: { type: oauth2 } }
      - { name: ours, ${at}, auth: { type: oauth2, perUser: false } }
      - { name: known, ${at}, auth: { type: oauth2, ${known} } }
      - { name: machine, ${at}, auth: { type: oauth2, grant: client-credentials, scopes: ["mcp:read"], ${known} } }
models:
  providers: [{ name: openai, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [gpt-4o], allowPrivateAddress: true }]
  access: [{ models: ["*"], use: [everyone] }]
`,
    env: { KNOWN: KNOWN_CLIENT.client_secret },
  });
  people = await createPeople(gateway, ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'manager']);
  await signIn(createWalker(), await begin('ann'), 'ann');
  await vi.waitFor(async () => expect((await call('ann')).status).toBe(200), 10_000);
});
afterAll(async () => {
  await gateway.stop();
  server.close();
  await wire.close();
  await provider.close();
});
beforeEach(() => {
  provider.grants.length = 0;
});

const call = (who: string, tool = 'whoami', at = 'g:mine'): Promise<ApiAnswer> =>
  api(who, 'POST', '/calls', { server: at, tool, arguments: {} });
const textOf = ({ body }: ApiAnswer): string => JSON.stringify(body);
const begin = async (who: string, at = 'mine'): Promise<string> =>
  authorizeSchema.parse((await api(who, 'POST', `/credentials/g/${at}/authorize`)).body).url;
const healthOf = async (who: string, at = 'mine'): Promise<CredentialView | undefined> =>
  credentialListSchema
    .parse((await api(who, 'GET', '/credentials')).body)
    .credentials.find(({ name }) => name === at);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('renews a token that is over once for all the calls that need it, and keeps the rotated one', async () => {
  await pause(TTL * 1000 + 100);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call('ann')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(provider.grants).toEqual(['refresh_token']);
  await pause(TTL * 1000 + 100);
  expect((await call('ann')).status).toBe(200);
  expect(provider.grants).toEqual(['refresh_token', 'refresh_token']);
});

it('renews a token that the server refuses before its time, and sends the call again', async () => {
  await call('ann');
  await pause(2_100);
  provider.grants.length = 0;
  server.refuseKnown();
  expect(textOf(await call('ann'))).toContain('whoami: ann');
  expect(provider.grants).toContain('refresh_token');
});

it('loses nothing while the authorization server is away', async () => {
  await pause(TTL * 1000 + 100);
  provider.pause(true);
  const refused = await call('ann');
  provider.pause(false);
  expect(refused.status).toBe(502);
  expect(refused.body['detail']).toMatch(/no token for g:mine/);
  expect((await healthOf('ann'))?.state).toBe('ok');
  expect((await call('ann')).status).toBe(200);
});

it('asks for more scopes when a server wants them, keeps those there were, and does not ask for ever', async () => {
  await signIn(createWalker(), await begin('ben'), 'ben');
  expect(textOf(await call('ben'))).toContain('whoami: ben mcp:read');
  const refused = await call('ben', 'write');
  expect(refused).toMatchObject({
    status: 403,
    body: { detail: expect.stringContaining('mcp:write') as string },
  });
  await signIn(createWalker(), String(refused.body['url']), 'ben');
  expect(textOf(await call('ben', 'write'))).toContain('write: ben mcp:read mcp:write');

  const never = await call('ben', 'never');
  expect(never.body['url']).toBeDefined();
  await signIn(createWalker(), String(never.body['url']), 'ben');
  const again = await call('ben', 'never');
  expect(again.status).toBe(502);
  expect(again.body['url']).toBeUndefined();
  expect(textOf(await call('ben', 'write'))).toContain('write: ben');
});

it('says that a sign-in was taken back there, and takes a new one', async () => {
  await signIn(createWalker(), await begin('cat'), 'cat');
  expect((await call('cat')).status).toBe(200);
  await pause(TTL * 1000 + 100);
  provider.forget(true);
  const refused = await call('cat');
  provider.forget(false);
  expect(refused.status).toBe(403);
  expect(await healthOf('cat')).toMatchObject({
    state: 'consent',
    problem: expect.stringContaining('the sign-in was taken back') as string,
  });
  await signIn(createWalker(), String(refused.body['url']), 'cat');
  expect((await healthOf('cat'))?.problem).toBeUndefined();
  expect((await call('cat')).status).toBe(200);
});

it('revokes what is taken back here, and leaves the rest alone', async () => {
  await signIn(createWalker(), await begin('dan'), 'dan');
  expect((await call('dan')).status).toBe(200);
  const before = provider.revoked();
  expect(await api('dan', 'DELETE', '/credentials/g/mine')).toMatchObject({
    status: 200,
    body: { state: 'consent' },
  });
  expect(provider.revoked()).toBe(before + 1);
  expect((await call('dan')).status).toBe(403);
  expect((await call('ann')).status).toBe(200);
  expect((await api('dan', 'DELETE', '/credentials/g/mine')).status).toBe(404);
});

it('lets only who manages the group sign in for everybody', async () => {
  const refused = await call('ann', 'whoami', 'g:ours');
  expect(refused.status).toBe(403);
  expect(refused.body['url']).toBeUndefined();
  expect((await api('ann', 'POST', '/credentials/g/ours/authorize')).body['rule']).toBe('shared-credential');
  expect((await api('ann', 'DELETE', '/credentials/g/ours')).status).toBe(403);
  const asked = await call('manager', 'whoami', 'g:ours');
  await signIn(createWalker(), String(asked.body['url']), 'the-team');
  await vi.waitFor(
    async () => expect(textOf(await call('ann', 'whoami', 'g:ours'))).toContain('whoami: the-team'),
    10_000,
  );
  expect(textOf(await call('ben', 'whoami', 'g:ours'))).toContain('whoami: the-team');
  expect(await healthOf('ann', 'ours')).toMatchObject({ subject: 'everyone', state: 'ok' });
});

it('uses a client that is registered already, and registers no other', async () => {
  const registered = provider.registered.length;
  await signIn(createWalker(), await begin('ann', 'known'), 'ann-known');
  await vi.waitFor(
    async () => expect(textOf(await call('ann', 'whoami', 'g:known'))).toContain('ann-known'),
    10_000,
  );
  expect(provider.registered.length).toBe(registered);
  expect(provider.authorizations.at(-1)?.searchParams.get('client_id')).toBe(KNOWN_CLIENT.client_id);
});

it('gets tokens for itself by client credentials, which nobody signs in for', async () => {
  await vi.waitFor(
    async () =>
      expect(textOf(await call('eve', 'whoami', 'g:machine'))).toContain(
        `whoami: ${KNOWN_CLIENT.client_id} mcp:read`,
      ),
    10_000,
  );
  expect((await healthOf('eve', 'machine'))?.state).toBe('ok');
  await pause(TTL * 1000 + 100);
  expect((await call('eve', 'whoami', 'g:machine')).status).toBe(200);
  expect(provider.grants).toContain('client_credentials');
});

it('takes back only the browser that set out, with the state it set out with', async () => {
  const url = await begin('eve');
  const page = await fetch(url);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await page.text()).toContain('user:eve');
  const skipped = await fetch(`${url}/continue`, {
    headers: { 'sec-fetch-site': 'cross-site' },
    redirect: 'manual',
  });
  expect(skipped.headers.get('location')).toBe(new URL(url).pathname);
  const away = await fetch(`${url}/continue`, {
    headers: { 'sec-fetch-site': 'same-origin' },
    redirect: 'manual',
  });
  const asked = new URL(away.headers.get('location') ?? '');
  const state = asked.searchParams.get('state') ?? '';
  const back = (query: Record<string, string>, cookie = ''): Promise<Response> =>
    fetch(`${gateway.address}/oauth/callback?${new URLSearchParams(query).toString()}`, {
      headers: { cookie },
    });
  const answer = { code: 'stolen', state, iss: provider.issuer };
  expect(await (await back(answer)).text()).toContain('not the browser');
  expect(await (await back({ ...answer, state: 'made-up' })).text()).toContain('over or has expired');
  const cookie = (away.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
  expect(away.headers.getSetCookie()[0]).toMatch(/HttpOnly; SameSite=Lax/);
  const wrong = await back(
    { error: 'access_denied', error_description: '<script>alert(1)</script>', state, iss: provider.issuer },
    cookie,
  );
  const text = await wrong.text();
  expect(wrong.status).toBe(400);
  expect(text).toContain('access_denied');
  expect(text).not.toContain('<script>');
  // It was good for one try.
  expect(await (await back(answer, cookie)).text()).toContain('over or has expired');
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
});

async function legacyClient(
  who: string,
  url: boolean,
): Promise<{ client: Client; opened: string[]; done: string[] }> {
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: url ? { elicitation: { form: {}, url: {} } } : {} },
  );
  const opened: string[] = [];
  const done: string[] = [];
  if (url)
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      if (params.mode !== 'url') return { action: 'decline' };
      opened.push(params.url);
      void pause(50).then(() => signIn(createWalker(), params.url, `${who}-there`));
      return { action: 'accept' };
    });
  client.setNotificationHandler(
    ElicitationCompleteNotificationSchema,
    ({ params }) => void done.push(params.elicitationId),
  );
  const requestInit = { headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp`), { requestInit }));
  return { client, opened, done };
}

it('has an MCP client open the address where it can, and goes on with the call', async () => {
  const { client, opened, done } = await legacyClient('eve', true);
  const result = await client.callTool({ name: 'mine__whoami', arguments: {} });
  expect(JSON.stringify(result.content)).toContain('whoami: eve-there');
  expect(opened).toHaveLength(1);
  await vi.waitFor(() => expect(done).toHaveLength(1), 10_000);
  await client.close();
});

it('tells the address to an MCP client that can open none', async () => {
  const { client } = await legacyClient('fay', false);
  const result = await client.callTool({ name: 'mine__whoami', arguments: {} });
  expect(result.isError).toBe(true);
  expect(JSON.stringify(result.content)).toContain(`${gateway.address}/oauth/connect/`);
  await client.close();
});

it('asks a client of the modern era by input_required, and goes on when it comes back', async () => {
  const client = await connectModern(
    { address: gateway.address, token: people.tokens['fay'] ?? '' },
    '/mcp/g',
    {
      elicitation: { form: {}, url: {} },
    },
  );
  const opened: string[] = [];
  client.setRequestHandler('elicitation/create', ({ params }) => {
    if (params.mode !== 'url') return { action: 'decline' };
    opened.push(params.url);
    void pause(50).then(() => signIn(createWalker(), params.url, 'fay-there'));
    return { action: 'accept' };
  });
  const result = await client.callTool({ name: 'mine__whoami', arguments: {} });
  expect(JSON.stringify(result.content)).toContain('whoami: fay-there');
  expect(opened).toHaveLength(1);
  await client.close();
});

it("has an agent's run wait for the sign-in, and say so", async () => {
  const agent = createAgentClient(gateway.address, people.tokens['gus'] ?? '');
  wire.reply(calls([{ id: 'call_1', name: 'mine__whoami', arguments: '{}' }]), says('Done.'));
  const { events } = await agent.post({
    model: 'openai/gpt-4o',
    stream: true,
    messages: [{ role: 'user', content: 'Who am I?' }],
    mcp_servers: [{ integration_fqn: 'g:mine' }],
  });
  const seen: string[] = [];
  let told = '';
  for await (const { name, chunk } of events) {
    if (name?.startsWith('mcp.') === true) seen.push(name);
    if (chunk?.toolgate?.type === 'mcp.auth_required')
      void signIn(createWalker(), chunk.toolgate.url, 'gus-there');
    told += chunk?.choices[0]?.delta.role === 'tool' ? (chunk.choices[0].delta.content ?? '') : '';
  }
  expect(seen).toEqual(['mcp.auth_required', 'mcp.auth_resolved']);
  expect(told).toContain('whoami: gus-there');
});

it('signs in, renews and signs out from the command line', async () => {
  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: people.tokens['eve'] ?? '' };
  expect((await toolgate(['credential', 'remove', 'g:mine'], env)).stdout).toContain('nothing of yours');
  const asked = await toolgate(['credential', 'login', 'g:mine', '--no-wait'], env);
  const url = /http\S+/.exec(asked.stdout)?.[0] ?? '';
  let opened = false;
  const waited = await toolgate(['credential', 'login', 'g:mine'], env, (printed) => {
    if (opened || !printed.includes(url)) return;
    opened = true;
    void signIn(createWalker(), url, 'eve-again');
  });
  expect(waited.stdout).toMatch(/Signed in to toolgate:g:mine: ok until .*, renewed by itself/);
  expect((await toolgate(['credential', 'renew', 'g:mine'], env)).stdout).toContain('ok until');
  expect((await toolgate(['credential', 'list'], env)).stdout).toMatch(/g:mine +user:eve +ok until/);
});
