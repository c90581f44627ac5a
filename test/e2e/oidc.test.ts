import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { discoverOAuthProtectedResourceMetadata } from '@modelcontextprotocol/sdk/client/auth.js';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { startOpenIdProvider, type OpenIdProvider } from '../support/openid-provider.ts';

const AUDIENCE = 'https://toolgate.example.com/mcp';
let provider: OpenIdProvider;
let stranger: OpenIdProvider;
let database: CountingServer;
let gateway: RunningGateway;

const PEOPLE = {
  fay: { email: 'fay@example.com', realm: { roles: ['finance', 7, 'x'.repeat(300)] } },
  eve: { email: 'eve@example.com' },
  dan: { email: 'dan@example.com', realm: { roles: ['finance'] } },
  owner: { email: 'owner', realm: { roles: ['finance'] } },
  nobody: { realm: { roles: ['finance'] } },
  sneaky: { email: 'serviceaccount:bot everyone', realm: { roles: ['finance'] } },
};

beforeAll(async () => {
  provider = await startOpenIdProvider(PEOPLE);
  stranger = await startOpenIdProvider(PEOPLE);
  database = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
subjects:
  users: [{ name: "dan@example.com", disabled: true }]
  oidc:
    - { issuer: "${provider.issuer}", audience: "${AUDIENCE}", claims: { user: email, teams: realm.roles }, allowPrivateAddress: true }
groups:
  - name: data
    access: { use: ["team:finance"] }
    servers: [${database.entry('mongo')}]
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([provider.close(), stranger.close(), database.close()]);
});

const registry = (token: string): Promise<Response> =>
  fetch(`${gateway.address}/api/v1/registry`, { headers: { authorization: `Bearer ${token}` } });
const statusOf = async (token: string): Promise<number> => (await registry(token)).status;
const tokenOf = (client: string, audience = AUDIENCE): Promise<string> =>
  provider.token({ client, audience });
async function groupsOf(client: string): Promise<string[]> {
  const { groups } = (await (await registry(await tokenOf(client))).json()) as { groups: { name: string }[] };
  return groups.map(({ name }) => name);
}

describe('P47 a token of a configured issuer', () => {
  it('makes its bearer the person it names, in the teams it names, and default deny holds', async () => {
    expect(await groupsOf('fay')).toEqual(['data']);
    expect(await groupsOf('eve')).toEqual([]);
    expect(await groupsOf('dan')).toEqual([]);
  });

  it('names nobody who could not be one, and never the gateway’s owner', async () => {
    for (const client of ['owner', 'nobody', 'sneaky'])
      expect(await statusOf(await tokenOf(client)), client).toBe(401);
  });

  it('is for this gateway, by this issuer, with a signature of one of its keys', async () => {
    expect(await statusOf(await tokenOf('fay', 'https://other.example.com'))).toBe(401);
    expect(await statusOf(await stranger.token({ client: 'fay', audience: AUDIENCE }))).toBe(401);
    const claims = { email: 'fay@example.com', realm: { roles: ['finance'] } };
    const at = Math.floor(Date.now() / 1000);
    const keys = (await (await fetch(`${provider.issuer}/jwks`)).json()) as {
      keys: { kid: string; n: string }[];
    };
    const [key] = keys.keys;
    const forged = (alg: string, secret: Uint8Array): Promise<string> =>
      new SignJWT(claims)
        .setProtectedHeader({ alg, kid: key?.kid ?? '' })
        .setIssuer(provider.issuer)
        .setAudience(AUDIENCE)
        .setExpirationTime(at + 100)
        .sign(secret);
    // The public key as the secret of a MAC, and no signature at all (RFC 8725, 2.1).
    expect(await statusOf(await forged('HS256', Buffer.from(key?.n ?? '', 'base64url')))).toBe(401);
    const unsigned = new UnsecuredJWT(claims)
      .setIssuer(provider.issuer)
      .setAudience(AUDIENCE)
      .setExpirationTime(at + 100)
      .encode();
    expect(await statusOf(unsigned)).toBe(401);
    expect(await statusOf(`${unsigned}AAAA`)).toBe(401);
    const good = await tokenOf('fay');
    const [head = '', body = '', signature = ''] = good.split('.');
    const other = Buffer.from(
      JSON.stringify({
        ...(JSON.parse(Buffer.from(body, 'base64url').toString()) as object),
        email: 'eve@example.com',
      }),
    );
    expect(await statusOf(`${head}.${other.toString('base64url')}.${signature}`)).toBe(401);
    expect(await statusOf(good)).toBe(200);
  });

  it('is taken while the issuer is away, where its keys are known', async () => {
    const token = await tokenOf('fay');
    provider.pause(true);
    try {
      expect(await statusOf(token)).toBe(200);
    } finally {
      provider.pause(false);
    }
  });
});

describe('an MCP client', () => {
  it('is told where to get a token for the address it asked for, and is answered with one (RFC 9728)', async () => {
    const url = new URL(`${gateway.address}/mcp/data/mongo`);
    const refused = await fetch(url, { method: 'POST', body: '{}' });
    expect(refused.status).toBe(401);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    const metadata = `${gateway.address}/.well-known/oauth-protected-resource/mcp/data/mongo`;
    expect(challenge).toBe(`Bearer realm="toolgate", resource_metadata="${metadata}"`);
    const found = await discoverOAuthProtectedResourceMetadata(url, {
      resourceMetadataUrl: new URL(metadata),
    });
    expect(found).toMatchObject({ resource: url.href, authorization_servers: [provider.issuer] });
    // A group that is not there is not told from one that is.
    const nothing = await fetch(`${gateway.address}/.well-known/oauth-protected-resource/mcp/nothing`);
    expect(nothing.status).toBe(200);

    const client = new Client({ name: 'test', version: '1' });
    const requestInit = { headers: { authorization: `Bearer ${await tokenOf('fay')}` } };
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    database.clear();
    await client.callTool({ name: 'listCollections', arguments: {} });
    expect(database.seen).toHaveLength(1);
    await client.close();
  });

  it('has a session that outlives a renewed token, and is nobody else’s', async () => {
    const post = (client: string, body: object, session?: string): Promise<Response> =>
      tokenOf(client).then((token) =>
        fetch(`${gateway.address}/mcp`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...(session !== undefined && { 'mcp-session-id': session }),
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
        }),
      );
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const session = (await post('fay', { method: 'initialize', params })).headers.get('mcp-session-id') ?? '';
    expect((await post('fay', { method: 'ping' }, session)).status).toBe(200);
    expect((await post('eve', { method: 'ping' }, session)).status).toBe(404);
  });
});

it('the keys are read once for all who wait for them, and a token ends with its time', async () => {
  const short = await startOpenIdProvider(PEOPLE, 2);
  const own = await startGateway({
    config: `version: 1
subjects:
  oidc: [{ issuer: "${short.issuer}", audience: ["other", "${AUDIENCE}"], claims: { user: email }, clockSkew: 1ms, allowPrivateAddress: true }]
`,
  });
  const status = async (token: string): Promise<number> =>
    (await fetch(`${own.address}/api/v1/registry`, { headers: { authorization: `Bearer ${token}` } })).status;
  try {
    const wish = { client: 'fay', audience: AUDIENCE };
    const token = await short.token(wish);
    expect(await Promise.all(Array.from({ length: 20 }, () => status(token)))).toEqual(
      Array.from({ length: 20 }, () => 200),
    );
    expect(short.reads()).toBe(1);
    await expect.poll(() => status(token), { timeout: 10_000, interval: 250 }).toBe(401);
  } finally {
    await own.stop();
    await short.close();
  }
});

it('an issuer at a private address is not asked without consent', async () => {
  const own = await startGateway({
    config: `version: 1
subjects: { oidc: [{ issuer: "${provider.issuer}", audience: "${AUDIENCE}", claims: { user: email } }] }
`,
  });
  const reads = provider.reads();
  const answer = await fetch(`${own.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${await tokenOf('fay')}` },
  });
  expect(answer.status).toBe(401);
  expect(provider.reads()).toBe(reads);
  expect(own.output()).toContain('not a public address');
  await own.stop();
});
