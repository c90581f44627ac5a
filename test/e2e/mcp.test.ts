import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALCULATOR, configOf, EVERYTHING, FILESYSTEM, MEMORY } from '../support/configs.ts';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

let gateway: RunningGateway;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolgate-files-'));
  gateway = await startGateway({
    config: configOf({
      common: [CALCULATOR(await freePort()), EVERYTHING],
      'dev-mcps': [FILESYSTEM(folder), MEMORY(join(folder, 'memory.jsonl'))],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
});

async function v1(path: string): Promise<ClientV1> {
  const client = new ClientV1({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${gateway.token}` };
  // The SDK's own transport class is not assignable under exactOptionalPropertyTypes.
  await client.connect(new TransportV1(new URL(gateway.address + path), { requestInit: { headers } }));
  return client;
}

async function v2(path: string, mode: 'legacy' | 'auto'): Promise<ClientV2> {
  const client = new ClientV2({ name: 'test', version: '2' }, { versionNegotiation: { mode } });
  const headers = { authorization: `Bearer ${gateway.token}` };
  await client.connect(new TransportV2(new URL(gateway.address + path), { requestInit: { headers } }));
  return client;
}

const text = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

describe('MCP at the gateway', () => {
  it('P6 P7 P8 lists and calls tools of every server at /mcp with the v1 client', async () => {
    const client = await v1('/mcp');
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain('calculator-mcp__add');
    expect(names).toContain('everything-mcp__echo');
    expect(names).toContain('filesystem-mcp__list_directory');
    expect(names).toContain('memory-mcp__read_graph');
    const call = (name: string, args: object): Promise<unknown> =>
      client.callTool({ name, arguments: args as Record<string, unknown> });
    expect(text(await call('calculator-mcp__add', { a: 2, b: 3 }))).toBe('5');
    expect(text(await call('everything-mcp__echo', { message: 'hello' }))).toBe('Echo: hello');
    expect(text(await call('filesystem-mcp__list_allowed_directories', {}))).toContain(folder);
    expect(text(await call('memory-mcp__read_graph', {}))).toContain('entities');
    await client.close();
  });

  it.each(['legacy', 'auto'] as const)('lists and calls tools with the v2 client (%s)', async (mode) => {
    const client = await v2('/mcp/common', mode);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain('calculator-mcp__multiply');
    expect(names).not.toContain('memory-mcp__read_graph');
    const result = await client.callTool({ name: 'calculator-mcp__multiply', arguments: { a: 6, b: 7 } });
    expect(result.structuredContent).toEqual({ result: 42 });
    await client.close();
  });

  it('shows one server as it is at /mcp/{group}/{server}: names, identity, resources, prompts', async () => {
    const client = await v1('/mcp/common/everything-mcp');
    expect(client.getServerVersion()?.name).toContain('everything');
    const tools = (await client.listTools()).tools;
    expect(tools.map(({ name }) => name)).toContain('echo');
    expect(tools.every(({ _meta }) => _meta?.['toolgate/server'] === undefined)).toBe(true);
    const { resources } = await client.listResources();
    expect(resources.length).toBeGreaterThan(0);
    const read = await client.readResource({ uri: resources[0]!.uri });
    expect(read.contents[0]?.uri).toBe(resources[0]!.uri);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.length).toBeGreaterThan(0);
    const { prompts } = await client.listPrompts();
    expect((await client.getPrompt({ name: prompts[0]!.name })).messages.length).toBeGreaterThan(0);
    await client.close();
  });

  it('P18 P19 reaches resources, templates and prompts through the aggregate with their provenance', async () => {
    const client = await v1('/mcp');
    const { resources } = await client.listResources();
    const resource = resources.find(
      ({ _meta }) => _meta?.['toolgate/server'] === 'toolgate:common:everything-mcp',
    );
    expect((await client.readResource({ uri: resource!.uri })).contents).toHaveLength(1);
    const { resourceTemplates } = await client.listResourceTemplates();
    const uri = resourceTemplates.find(({ uriTemplate }) => uriTemplate.includes('text'))!.uriTemplate;
    expect((await client.readResource({ uri: uri.replace(/\{.*?\}/, '1') })).contents).toHaveLength(1);
    const { prompts } = await client.listPrompts();
    const prompt = prompts.find(({ name }) => name.startsWith('everything-mcp__') && name.includes('simple'));
    expect((await client.getPrompt({ name: prompt!.name })).messages.length).toBeGreaterThan(0);
    await client.close();
  });

  it('P26 refuses invented fields and wrong types before the server sees them', async () => {
    const client = await v1('/mcp/common/calculator-mcp');
    const invented = await client.callTool({ name: 'add', arguments: { a: 1, b: 2, c: 3 } });
    expect(invented.isError).toBe(true);
    expect(text(invented)).toContain('"c"');
    expect(invented._meta?.['toolgate/refusal']).toEqual({
      reason: 'invalid-arguments',
      rule: 'input-schema',
    });
    const wrong = await client.callTool({ name: 'add', arguments: { a: 'one', b: 2 } });
    expect(text(wrong)).toContain('a must be number');
    await client.close();
  });

  it("passes a tool's own error through as a result", async () => {
    const client = await v1('/mcp/common/calculator-mcp');
    const result = await client.callTool({ name: 'divide', arguments: { a: 1, b: 0 } });
    expect(result).toEqual({
      isError: true,
      content: [{ type: 'text', text: '1 divide 0 has no finite result' }],
    });
    await client.close();
  });

  it('forwards progress under the client’s own token, the last one included', async () => {
    const client = await v1('/mcp/common/everything-mcp');
    const seen: number[] = [];
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.6, steps: 3 } },
      undefined,
      { onprogress: ({ progress }) => seen.push(progress) },
    );
    expect(seen).toEqual([1, 2, 3]);
    await client.close();
  });

  it('cancels upstream when the client cancels', async () => {
    const client = await v1('/mcp/common/everything-mcp');
    const abort = new AbortController();
    const call = client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 20, steps: 2 } },
      undefined,
      { signal: abort.signal },
    );
    setTimeout(() => abort.abort('enough'), 200);
    await expect(call).rejects.toThrow();
    await expect
      .poll(async () => {
        const { calls } = (await (await api('/api/v1/activity?limit=20')).json()) as {
          calls: { name: string; outcome: string }[];
        };
        return calls.find(({ name }) => name === 'trigger-long-running-operation')?.outcome;
      })
      .toBe('cancelled');
    await client.close();
  });

  it('P53 records every call with who, what, how long and the outcome, and no payload', async () => {
    const client = await v1('/mcp/common/everything-mcp');
    expect(text(await client.callTool({ name: 'echo', arguments: { message: 'hush-hush' } }))).toContain(
      'hush-hush',
    );
    const body = await (await api('/api/v1/activity?limit=50')).text();
    const { calls } = JSON.parse(body) as { calls: Record<string, unknown>[] };
    expect(calls.find(({ name, source }) => name === 'echo' && source === 'mcp')).toMatchObject({
      server: 'toolgate:common:everything-mcp',
      subject: 'user:owner',
      source: 'mcp',
      outcome: 'ok',
    });
    expect(body).not.toContain('hush');
    await client.close();
  });

  it('is driven by the MCP inspector', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(ROOT, 'node_modules/@modelcontextprotocol/inspector', await inspectorBin()),
        '--cli',
        `${gateway.address}/mcp/common/calculator-mcp`,
        '--transport',
        'http',
        '--header',
        `Authorization: Bearer ${gateway.token}`,
        '--method',
        'tools/call',
        '--tool-name',
        'add',
        '--tool-arg',
        'a=20',
        '--tool-arg',
        'b=22',
      ],
      { timeout: 25_000 },
    );
    expect(JSON.parse(stdout)).toMatchObject({ structuredContent: { result: 42 } });
  });
});

function api(path: string): Promise<Response> {
  return fetch(gateway.address + path, { headers: { authorization: `Bearer ${gateway.token}` } });
}

async function inspectorBin(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const manifest = await readFile(
    join(ROOT, 'node_modules/@modelcontextprotocol/inspector/package.json'),
    'utf8',
  );
  const { bin } = JSON.parse(manifest) as { bin: Record<string, string> };
  return Object.values(bin)[0]!;
}
