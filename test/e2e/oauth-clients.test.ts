import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { oauthClient } from '../support/oauth-client.ts';
import { startOpenIdProvider, throughProvider, type OpenIdProvider } from '../support/openid-provider.ts';
import { freePort } from '../support/ports.ts';

const PEOPLE = {
  fay: { email: 'fay@example.com', realm: { roles: ['finance'] } },
  eve: { email: 'eve@example.com' },
  program: { email: 'program@example.com', realm: { roles: ['finance'] } },
};
let provider: OpenIdProvider;
let database: CountingServer;
let gateway: RunningGateway;

beforeAll(async () => {
  const port = await freePort();
  provider = await startOpenIdProvider(PEOPLE, 300, { clients: [], scopes: ['tools:use', 'tools:more'] });
  database = await startCountingServer();
  gateway = await startGateway({
    args: ['--port', String(port)],
    config: `version: 1
subjects:
  oidc:
    - issuer: "${provider.issuer}"
      audience: "http://127.0.0.1:${port}/mcp"
      requiredScopes: ["tools:use"]
      claims: { user: email, teams: realm.roles }
      allowPrivateAddress: true
groups:
  - name: data
    access: { use: ["team:finance"] }
    servers: [${database.entry('mongo')}]
`,
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([provider.close(), database.close()]);
});

type Oauth = ReturnType<typeof oauthClient>;
interface Connected {
  /** The names of the tools it sees. */
  tools(): Promise<string[]>;
  call(name: string): Promise<unknown>;
  close(): Promise<void>;
}
interface Attempt {
  /** Rejects when the person has to sign in first. */
  connect(): Promise<Connected>;
  finishAuth(answer: URL): Promise<void>;
}

const CLIENTS: Record<string, (url: URL, authProvider: Oauth) => Attempt> = {
  'of the SDK, version 1': (url, authProvider) => {
    const transport = new StreamableHTTPClientTransport(url, { authProvider });
    const client = new Client({ name: 'test', version: '1' });
    return {
      connect: async () => {
        await client.connect(transport);
        return {
          tools: async () => (await client.listTools()).tools.map(({ name }) => name),
          call: (name) => client.callTool({ name, arguments: {} }),
          close: () => client.close(),
        };
      },
      finishAuth: (answer) => transport.finishAuth(answer.searchParams.get('code') ?? ''),
    };
  },
  'of the SDK, version 2': (url, authProvider) => {
    const transport = new ModernTransport(url, { authProvider });
    const client = new ModernClient({ name: 'test', version: '1' });
    return {
      connect: async () => {
        await client.connect(transport);
        return {
          tools: async () => (await client.listTools()).tools.map(({ name }) => name),
          call: (name) => client.callTool({ name, arguments: {} }),
          close: () => client.close(),
        };
      },
      finishAuth: (answer) => transport.finishAuth(answer.searchParams),
    };
  },
};

/** Signs in as a person does who is sent to the provider, and connects with the token that comes of it. */
async function signInAndConnect(
  kind: string,
  path: string,
  person: string,
  oauth = oauthClient(),
): Promise<Connected> {
  const url = new URL(`${gateway.address}${path}`);
  const make = CLIENTS[kind];
  if (make === undefined) throw new Error(kind);
  const first = make(url, oauth);
  await expect(first.connect()).rejects.toThrow(/unauthorized/i);
  const answer = await throughProvider(oauth.asked.at(-1)?.href ?? '', person);
  await first.finishAuth(answer);
  return make(url, oauth).connect();
}

describe.each(Object.keys(CLIENTS))('P47 an MCP client %s,', (kind) => {
  it.each([
    ['/mcp', 'mongo__listCollections'],
    ['/mcp/data', 'mongo__listCollections'],
    ['/mcp/data/mongo', 'listCollections'],
  ])('that knows only %s finds the provider, signs its person in and calls a tool', async (path, tool) => {
    const oauth = oauthClient();
    const client = await signInAndConnect(kind, path, 'fay', oauth);
    const [asked] = oauth.asked;
    expect(asked?.origin).toBe(provider.issuer);
    expect(Object.fromEntries(asked?.searchParams ?? [])).toMatchObject({
      resource: `${gateway.address}${path}`,
      code_challenge_method: 'S256',
      scope: 'tools:use',
    });
    expect(await client.tools()).toContain(tool);
    database.clear();
    await client.call(tool);
    expect(database.seen).toHaveLength(1);
    await client.close();
  });

  it('gets for its person what that person may, and nothing else', async () => {
    const client = await signInAndConnect(kind, '/mcp', 'eve');
    expect(await client.tools()).toEqual([]);
    await client.close();
  });
});

describe('a token that lacks a scope', () => {
  const asked = (token: string, path = '/mcp/data'): Promise<Response> =>
    fetch(`${gateway.address}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    });
  const tokenWith = (scope?: string): Promise<string> =>
    provider.token({
      client: 'program',
      audience: `${gateway.address}/mcp`,
      ...(scope !== undefined && { scope }),
    });

  it('is answered with 403, the scopes to ask for, and where', async () => {
    for (const scope of [undefined, 'tools:more']) {
      const answer = await asked(await tokenWith(scope));
      expect(answer.status).toBe(403);
      expect(answer.headers.get('www-authenticate')).toBe(
        `Bearer realm="toolgate", error="insufficient_scope", scope="tools:use", ` +
          `resource_metadata="${gateway.address}/.well-known/oauth-protected-resource/mcp/data"`,
      );
      expect(await answer.json()).toMatchObject({ rule: 'required-scopes' });
      const control = await asked(await tokenWith(scope), '/api/v1/calls');
      expect(control.status).toBe(403);
    }
    expect((await asked(await tokenWith('tools:more tools:use'))).status).not.toBe(403);
  });

  it('is not what is said of a token that is wrong, and both 401s name the scope', async () => {
    const wrong = await asked(`${await tokenWith('tools:use')}x`);
    const metadata = `resource_metadata="${gateway.address}/.well-known/oauth-protected-resource/mcp/data"`;
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
      401,
      `Bearer realm="toolgate", error="invalid_token", scope="tools:use", ${metadata}`,
    ]);
    const none = await fetch(`${gateway.address}/mcp/data`, { method: 'POST', body: '{}' });
    expect(none.headers.get('www-authenticate')).toBe(
      `Bearer realm="toolgate", scope="tools:use", ${metadata}`,
    );
    const found = await fetch(`${gateway.address}/.well-known/oauth-protected-resource/mcp/data`);
    expect(await found.json()).toMatchObject({ scopes_supported: ['tools:use'] });
  });

  it('makes a client ask for the scope, and go on', async () => {
    const tokens = { access_token: await tokenWith(), token_type: 'Bearer' };
    const oauth = oauthClient(tokens);
    const client = await signInAndConnect('of the SDK, version 1', '/mcp/data', 'fay', oauth);
    expect(oauth.asked[0]?.searchParams.get('scope')).toBe('tools:use');
    expect(oauth.held?.access_token).not.toBe(tokens.access_token);
    expect(await client.tools()).toContain('mongo__listCollections');
    await client.close();
  });
});

it('a token for an address counts beneath it, and for no other of like name', async () => {
  const status = async (audience: string): Promise<number> => {
    const token = await provider.token({ client: 'program', audience, scope: 'tools:use' });
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.address}/api/v1/registry`, { headers })).status;
  };
  for (const audience of ['/mcp', '/mcp/data', '/mcp/data/mongo'])
    expect([audience, await status(gateway.address + audience)]).toEqual([audience, 200]);
  for (const audience of ['/mcpx', '/', '/api', '/mcp-other/data'])
    expect([audience, await status(gateway.address + audience)]).toEqual([audience, 401]);
  expect(await status('http://127.0.0.1:1/mcp/data')).toBe(401);
});
