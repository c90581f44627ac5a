import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerView } from '../../gateway/contract/registry.ts';
import { configOf } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { PET_DOCUMENT, PIXEL, startPetApi, type PetApi } from '../support/pet-api.ts';

let api: PetApi;
let gateway: RunningGateway;

beforeAll(async () => {
  api = await startPetApi();
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-openapi-')), 'pets.json');
  await writeFile(file, JSON.stringify(PET_DOCUMENT));
  const auth = 'auth: { type: header, headers: { Authorization: "Bearer ${env:PETS_KEY}" } }';
  const server = (name: string, document: string, more: string): string =>
    `{ name: ${name}, openapi: "${document}", baseUrl: "${api.origin}/v1", ${more} }`;
  gateway = await startGateway({
    env: { PETS_KEY: 'pets-key' },
    config: configOf({
      apis: [
        server(
          'elsewhere',
          `${api.origin.replace('127.0.0.1', 'localhost')}/openapi.json`,
          `${auth}, allowPrivateAddress: true`,
        ),
        server(
          'pets',
          `${api.origin}/openapi.json`,
          `${auth}, allowPrivateAddress: true, timeouts: { call: 2s },
           tools: [{ match: "@destructive", effect: deny }, { match: createPet, effect: allow, annotations: { destructiveHint: false } },
                   { match: listPets, rename: pets, fixed: { limit: 1 } }]`.replace(/\n */g, ' '),
        ),
        server('file', file, `${auth}, allowPrivateAddress: true`),
        server('guarded', file, auth),
        server('keyless', file, 'allowPrivateAddress: true'),
        server('broken', `${api.origin}/nothing.json`, 'allowPrivateAddress: true'),
      ],
      team: ['{ name: mixed, virtual: [{ server: "apis:pets", tools: [getPet] }] }'],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
  api.close();
});

async function connect(path: string, capabilities = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  const headers = { authorization: `Bearer ${gateway.token}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit: { headers } }),
  );
  return client;
}

async function call(server: string, name: string, args: object = {}): Promise<CallToolResult> {
  const client = await connect(`/mcp/apis/${server}`);
  const result = await client.callTool({ name, arguments: args as Record<string, unknown> });
  await client.close();
  return result as CallToolResult;
}

const text = ({ content }: { content: unknown }): string => (content as { text?: string }[])[0]?.text ?? '';

async function registered(name: string, refresh = false): Promise<ServerView> {
  const response = await fetch(`${gateway.address}/api/v1/registry${refresh ? '/refresh' : ''}`, {
    method: refresh ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { groups } = (await response.json()) as { groups: { servers: ServerView[] }[] };
  return groups.flatMap(({ servers }) => servers).find((server) => server.name === name)!;
}

describe('an HTTP API as a server', () => {
  it('is listed and called as tools, with its credentials, by an MCP client', async () => {
    const client = await connect('/mcp/apis/pets', { roots: {}, elicitation: {} });
    expect(client.getServerVersion()).toMatchObject({ name: 'Pets', version: '2.1.0' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      'pets',
      'createPet',
      'getPet',
      'getPhoto',
      'echo',
      'large',
      'moved',
      'slow',
    ]);
    const one = await client.callTool({ name: 'getPet', arguments: { petId: 'rex' } });
    expect(one.structuredContent).toEqual({ id: 'rex', name: 'Rex', tag: null });
    expect(JSON.parse(text(one as CallToolResult))).toEqual(one.structuredContent);
    const made = await client.callTool({
      name: 'createPet',
      arguments: { body: { id: 'a/b', name: 'Slash', parent: { id: 'rex', name: 'Rex' } } },
    });
    expect(made.structuredContent).toMatchObject({ id: 'a/b' });
    const found = await client.callTool({ name: 'getPet', arguments: { petId: 'a/b' } });
    expect(found.structuredContent).toMatchObject({ name: 'Slash' });
    // `limit` is fixed by the configuration.
    expect((await client.callTool({ name: 'pets' })).structuredContent).toMatchObject({
      result: [{ id: 'rex' }],
    });
    expect(api.seen.at(-1)?.originalUrl).toBe('/v1/pets?limit=1');
    await client.close();
  });

  it('checks arguments against the document before anything is sent', async () => {
    const before = api.seen.length;
    const invented = await call('pets', 'getPet', { petId: 'rex', admin: true });
    expect(text(invented)).toContain('"admin"');
    expect(text(await call('pets', 'createPet', { body: { id: 1, name: 'x' } }))).toContain(
      'body.id must be string',
    );
    const climbing = await call('pets', 'getPet', { petId: '../../openapi.json' });
    expect(climbing).toMatchObject({ isError: true });
    expect(text(climbing)).toContain('must not be or hold "." or ".."');
    const split = await call('pets', 'echo', { 'X-Trace': 'a\r\nx-evil: 1' });
    expect(text(split)).toContain('"X-Trace" must hold only printable ASCII');
    expect(api.seen).toHaveLength(before);
  });

  it('gets queries and headers as they were meant', async () => {
    const result = await call('pets', 'echo', {
      tags: ['a', 'b&c'],
      filter: { color: 'red' },
      q__: ['1', '2'],
      'X-Trace': 'abc',
    });
    expect(result.structuredContent).toEqual({
      query: { tags: 'a,b&c', filter: { color: 'red' }, q: ['1', '2'] },
      trace: 'abc',
    });
    expect(api.seen.at(-1)?.headers.authorization).toBe('Bearer pets-key');
  });

  it('answers with images, with errors as the tool’s own, and within bounds', async () => {
    expect((await call('pets', 'getPhoto', { petId: 'rex' })).content).toEqual([
      { type: 'image', data: PIXEL.toString('base64'), mimeType: 'image/png' },
    ]);
    const missing = await call('pets', 'getPet', { petId: 'none' });
    expect(missing).toEqual({
      isError: true,
      content: [{ type: 'text', text: 'HTTP 404 Not Found\n{"error":"no pet none"}' }],
    });
    expect(text(await call('pets', 'moved'))).toContain(
      'HTTP 302 Found; it points to http://169.254.169.254/latest',
    );
    const large = await call('pets', 'large');
    expect(large.isError).toBe(true);
    expect(text(large)).toContain('over 16777216 bytes');
    const slow = await call('pets', 'slow');
    expect(slow._meta?.['toolgate/refusal']).toMatchObject({ reason: 'timeout' });
    expect(text(await call('keyless', 'getPet', { petId: 'rex' }))).toBe(
      'HTTP 401 Unauthorized\n{"error":"no key"}',
    );
    expect(text(await call('file', 'delete_pets_petId', { petId: 'gone' }))).toBe('HTTP 204 No Content');
  });

  it('is not reached at a private address without consent, and says so', async () => {
    const before = api.seen.length;
    const refused = await call('guarded', 'getPet', { petId: 'rex' });
    expect(text(refused)).toContain('is not a public address; allow it with allowPrivateAddress');
    expect(api.seen).toHaveLength(before);
  });

  it('obeys the rules about its tools by the methods’ annotations, and can be picked from', async () => {
    await expect(call('pets', 'delete_pets_petId', { petId: 'rex' })).rejects.toThrow('Unknown tool');
    const client = await connect('/mcp/team/mixed');
    const result = await client.callTool({ name: 'getPet', arguments: { petId: 'rex' } });
    expect(result.structuredContent).toMatchObject({ name: 'Rex' });
    await client.close();
  });

  it('is the same for a client of MCP 2026-07-28, by itself and in a virtual server', async () => {
    for (const path of ['/mcp/apis/file', '/mcp/team/mixed']) {
      const client = new ModernClient(
        { name: 'test', version: '2' },
        { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: {} } },
      );
      const headers = { authorization: `Bearer ${gateway.token}` };
      await client.connect(
        new ModernTransport(new URL(gateway.address + path), { requestInit: { headers } }),
      );
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain('getPet');
      const result = await client.callTool({ name: 'getPet', arguments: { petId: 'rex' } });
      expect(result.structuredContent).toMatchObject({ name: 'Rex' });
      await client.close();
    }
  });

  it('shows in the registry what is wrong with its document, and keeps what it knew of it', async () => {
    expect(await registered('pets')).toMatchObject({
      state: 'ready',
      transport: 'openapi',
      tools: { length: 8 },
    });
    expect((await registered('pets')).warnings).toEqual([
      expect.stringContaining('PUT /pets/{petId}/photo is left out'),
      expect.stringContaining('which is not fetched'),
    ]);
    expect(await registered('broken')).toMatchObject({
      state: 'failed',
      lastError: `the document ${api.origin}/nothing.json cannot be fetched: it answered HTTP 404`,
    });
    api.document = undefined;
    expect(await registered('pets', true)).toMatchObject({
      state: 'degraded',
      lastError: expect.stringContaining('openapi.json cannot be fetched: it answered HTTP 503') as string,
      tools: { length: 8 },
    });
    expect((await call('pets', 'getPet', { petId: 'rex' })).isError).toBeUndefined();
    api.document = { ...PET_DOCUMENT, paths: { '/pets': PET_DOCUMENT.paths['/pets'] } };
    const after = await registered('pets', true);
    expect(after.state).toBe('ready');
    expect(after.tools.map(({ name }) => name)).toEqual(['pets', 'createPet']);
    api.document = PET_DOCUMENT;
  });

  it('sends its credentials to its own origin, for the document too, and to no other', async () => {
    expect((await call('elsewhere', 'listPets')).isError).toBeUndefined();
    const sent = (host: string): Set<string | undefined> =>
      new Set(
        api.seen
          .filter(({ path, headers }) => path === '/openapi.json' && headers.host?.startsWith(host))
          .map(({ headers }) => headers.authorization),
      );
    expect(sent('127.0.0.1')).toEqual(new Set(['Bearer pets-key']));
    expect(sent('localhost')).toEqual(new Set([undefined]));
  });
});
