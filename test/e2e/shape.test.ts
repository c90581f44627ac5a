import { readFile, writeFile } from 'node:fs/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

const OVERRIDES = `, tools: [
  { match: add, rename: sum, description: Adds five, annotations: { idempotentHint: false }, fixed: { b: 5 } },
  { match: multiply, defaults: { b: 10 } },
  { match: divide, annotations: { destructiveHint: true, readOnlyHint: false } },
  { match: "@destructive", effect: deny },
  { match: sum, effect: deny } ]`.replaceAll('\n', ' ');

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    config: configOf({
      common: [
        CALCULATOR(await freePort(), OVERRIDES),
        EVERYTHING.replace(
          ' }',
          ', tools: [{ match: echo, rename: say, fixed: { message: "hello there" } }, { match: get-sum, rename: echo }] }',
        ),
      ],
      team: [
        `{ name: safe-tools, tools: [{ match: product, description: Multiplies }], virtual: [
          { server: "common:calculator-mcp", tools: [sum, divide, multiply], rename: { multiply: product } },
          { server: "common:everything-mcp", tools: [say] } ] }`.replaceAll('\n', ' '),
      ],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
});

async function connect(path: string, capabilities = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  const headers = { authorization: `Bearer ${gateway.token}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit: { headers } }),
  );
  return client;
}

interface Answer {
  readonly status: number;
  /** What of all answers the tests look at. */
  readonly body: {
    readonly hits: { readonly name: string; readonly server: string }[];
    readonly calls: Record<string, unknown>[];
    readonly groups: { readonly servers: { readonly tools: { readonly name: string }[] }[] }[];
    readonly result: { readonly structuredContent: unknown };
  };
}

async function api(path: string, body?: object): Promise<Answer> {
  const response = await fetch(gateway.address + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const text = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

describe('overridden tools of real servers', () => {
  it.each([
    ['/mcp/common/calculator-mcp', ''],
    ['/mcp/common', 'calculator-mcp__'],
    ['/mcp', 'calculator-mcp__'],
  ])('are listed and called the same way at %s', async (path, prefix) => {
    const client = await connect(path);
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    const sum = tools.find(({ name }) => name === `${prefix}sum`)!;
    expect(sum.description).toBe('Adds five');
    expect(sum.annotations?.idempotentHint).toBe(false);
    expect(Object.keys(sum.inputSchema.properties ?? {})).toEqual(['a']);
    expect(sum.inputSchema.required).toEqual(['a']);
    expect(names).not.toContain(`${prefix}add`);
    expect(names).not.toContain(`${prefix}divide`);
    expect(text(await client.callTool({ name: `${prefix}sum`, arguments: { a: 1 } }))).toBe('6');
    expect(text(await client.callTool({ name: `${prefix}multiply`, arguments: { a: 7 } }))).toBe('70');
    expect(text(await client.callTool({ name: `${prefix}multiply`, arguments: { a: 7, b: 2 } }))).toBe('14');
    const refused = await client.callTool({ name: `${prefix}sum`, arguments: { a: 1, b: 100 } });
    expect(refused.isError).toBe(true);
    expect(text(refused)).toBe('sum: "b" is set by the gateway; leave it out');
    for (const gone of ['add', 'divide'])
      await expect(client.callTool({ name: prefix + gone, arguments: { a: 1, b: 2 } })).rejects.toThrow(
        'Unknown tool',
      );
    await client.close();
  });

  it('are the same on a session’s own connection', async () => {
    const client = await connect('/mcp/common/everything-mcp', { roots: {} });
    const { tools } = await client.listTools();
    // Only this connection is offered a tool for clients with roots.
    expect(tools.map(({ name }) => name)).toContain('get-roots-list');
    expect(tools.find(({ name }) => name === 'say')?.inputSchema.properties).toEqual({});
    expect(text(await client.callTool({ name: 'say', arguments: {} }))).toBe('Echo: hello there');
    expect(text(await client.callTool({ name: 'echo', arguments: { a: 1, b: 2 } }))).toContain('3');
    const refused = await client.callTool({ name: 'say', arguments: { message: 'mine' } });
    expect(text(refused)).toContain('"message" is set by the gateway');
    await client.close();
  });

  it('change with the configuration, also on a connection that is open', async () => {
    const client = await connect('/mcp/common/everything-mcp', { roots: {} });
    const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
    expect(await names()).toContain('say');
    const before = await readFile(gateway.configFile, 'utf8');
    await writeFile(
      gateway.configFile,
      before.replace('hello there', 'hello again').replace('rename: say', 'rename: tell'),
    );
    await expect.poll(names, { timeout: 15_000 }).toContain('tell');
    expect(text(await client.callTool({ name: 'tell', arguments: {} }))).toBe('Echo: hello again');
    await expect(client.callTool({ name: 'say', arguments: {} })).rejects.toThrow('Unknown tool');
    await writeFile(gateway.configFile, before);
    await expect.poll(names, { timeout: 15_000 }).toContain('say');
    await client.close();
  });

  it('are the same for discovery, search, the API, and in the record of calls', async () => {
    const client = await connect('/mcp/_discover/common');
    const described = await client.callTool({
      name: 'describe_tool',
      arguments: { name: 'calculator-mcp__sum' },
    });
    expect(described.structuredContent).toMatchObject({
      name: 'calculator-mcp__sum',
      description: 'Adds five',
    });
    const called = await client.callTool({
      name: 'call_tool',
      arguments: { name: 'calculator-mcp__sum', arguments: { a: 2 } },
    });
    expect(text(called)).toBe('7');
    await client.close();

    const { body: found } = await api('/api/v1/search?q=adds+five');
    expect(found.hits[0]).toMatchObject({ name: 'sum', server: 'toolgate:common:calculator-mcp' });
    const ask = { server: 'calculator-mcp', tool: 'sum', arguments: { a: 3 } };
    expect((await api('/api/v1/calls', ask)).body.result.structuredContent).toEqual({ result: 8 });
    expect((await api('/api/v1/calls', { ...ask, tool: 'add' })).status).toBe(404);
    const { body: registry } = await api('/api/v1/registry');
    expect(registry.groups[0]?.servers[0]?.tools.map(({ name }) => name)).toContain('sum');
    const { body: activity } = await api('/api/v1/activity?limit=5');
    expect(activity.calls).toContainEqual(
      expect.objectContaining({
        name: 'sum',
        server: 'toolgate:common:calculator-mcp',
        source: 'api',
        outcome: 'ok',
      }),
    );
  });
});

describe('a virtual server over real servers', () => {
  it('lists and calls its tools at its own address, what their servers deny left out', async () => {
    // A client with roots gets connections of its own elsewhere; here the servers behind are shared.
    const client = await connect('/mcp/team/safe-tools', { roots: {} });
    expect(client.getServerVersion()?.name).toBe('safe-tools');
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['sum', 'product', 'say']);
    expect(tools[1]?.description).toBe('Multiplies');
    expect(text(await client.callTool({ name: 'sum', arguments: { a: 1 } }))).toBe('6');
    expect(text(await client.callTool({ name: 'product', arguments: { a: 3 } }))).toBe('30');
    expect(text(await client.callTool({ name: 'say' }))).toBe('Echo: hello there');
    const refused = await client.callTool({ name: 'say', arguments: { message: 'mine' } });
    expect(text(refused)).toContain('"message" is set by the gateway');
    for (const name of ['divide', 'multiply', 'echo'])
      await expect(client.callTool({ name, arguments: { a: 1, b: 2 } })).rejects.toThrow('Unknown tool');
    await client.close();
    const { body } = await api('/api/v1/activity?limit=20');
    expect(body.calls).toContainEqual(
      expect.objectContaining({
        server: 'toolgate:team:safe-tools',
        upstream: 'toolgate:common:calculator-mcp',
        name: 'product',
        outcome: 'ok',
      }),
    );
  });

  it('is one more server of its group, of the whole, of search and of the agent', async () => {
    const group = await connect('/mcp/team');
    expect((await group.listTools()).tools.map(({ name }) => name)).toContain('safe-tools__product');
    const called = await group.callTool({ name: 'safe-tools__product', arguments: { a: 2, b: 2 } });
    expect(text(called)).toBe('4');
    await group.close();
    const { body: found } = await api('/api/v1/search?q=product');
    expect(found.hits).toContainEqual(
      expect.objectContaining({ name: 'product', server: 'toolgate:team:safe-tools' }),
    );
    const ask = { server: 'team:safe-tools', tool: 'product', arguments: { a: 2 } };
    expect((await api('/api/v1/calls', ask)).body.result.structuredContent).toEqual({ result: 20 });
  });
});
