import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { contextResponseSchema } from '../../gateway/contract/context.ts';
import { toolgate } from '../support/cli.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  const rules = ', tools: [{ match: divide, effect: deny }]';
  gateway = await startGateway({
    config: configOf({ common: [CALCULATOR(await freePort(), rules), EVERYTHING] }),
  });
});
afterAll(async () => {
  await gateway.stop();
});

async function connect(path: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${gateway.token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit }));
  onTestFinished(() => client.close());
  return client;
}

describe('P179 an agent discovers tools', () => {
  it('finds, reads and calls a tool, and the call is checked and recorded as every other', async () => {
    const client = await connect('/mcp/_discover');
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual([
      'search_tools',
      'describe_tool',
      'call_tool',
    ]);
    const { structuredContent } = await client.callTool({
      name: 'search_tools',
      arguments: { query: 'multiply two numbers' },
    });
    const [best] = (structuredContent as { tools: { name: string }[] }).tools;
    expect(best?.name).toBe('calculator-mcp__multiply');
    const described = await client.callTool({ name: 'describe_tool', arguments: { name: best?.name } });
    expect(described.structuredContent).toMatchObject({
      inputSchema: { properties: { a: { type: 'number' }, b: { type: 'number' } } },
    });
    const call = (args: object): ReturnType<Client['callTool']> =>
      client.callTool({ name: 'call_tool', arguments: { name: best?.name, arguments: args } });
    expect(await call({ a: 6, b: 7 })).toMatchObject({ structuredContent: { result: 42 } });
    expect(await call({ a: 6 })).toMatchObject({
      isError: true,
      _meta: { 'toolgate/refusal': { reason: 'invalid-arguments', rule: 'input-schema' } },
    });
    const activity = await fetch(`${gateway.address}/api/v1/activity?limit=2`, {
      headers: { authorization: `Bearer ${gateway.token}` },
    });
    expect(await activity.json()).toMatchObject({
      calls: [
        { name: 'multiply', source: 'mcp', outcome: 'invalid-arguments' },
        { name: 'multiply', source: 'mcp', outcome: 'ok', server: 'toolgate:common:calculator-mcp' },
      ],
    });
  });

  it('finds and reaches nothing that is denied', async () => {
    const client = await connect('/mcp/_discover/common/calculator-mcp');
    const { structuredContent } = await client.callTool({
      name: 'search_tools',
      arguments: { query: 'divide' },
    });
    expect(structuredContent).toMatchObject({ total: 0 });
    for (const name of ['describe_tool', 'call_tool']) {
      await expect(client.callTool({ name, arguments: { name: 'divide' } })).rejects.toThrow(
        'Unknown tool: divide',
      );
    }
    await expect(client.callTool({ name: 'divide', arguments: {} })).rejects.toThrow('Unknown tool: divide');
    expect(
      await client.callTool({ name: 'call_tool', arguments: { name: 'add', arguments: { a: 1, b: 2 } } }),
    ).toMatchObject({ structuredContent: { result: 3 } });
  });

  it('passes progress, resources and prompts on', async () => {
    const client = await connect('/mcp/_discover/common');
    const seen: number[] = [];
    await client.callTool(
      {
        name: 'call_tool',
        arguments: {
          name: 'everything-mcp__trigger-long-running-operation',
          arguments: { duration: 1, steps: 2 },
        },
      },
      undefined,
      { onprogress: ({ progress }) => void seen.push(progress) },
    );
    expect(seen).toEqual([1, 2]);
    expect((await client.listResources()).resources.length).toBeGreaterThan(0);
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0);
    await expect(connect('/mcp/_discover/nowhere')).rejects.toThrow();
  });
});

/** The definitions as they were sent: the SDK's own schema puts their keys into another order. */
const asListed = z.object({ tools: z.array(z.custom<Record<string, unknown>>()) });

it('the tokens that each address costs a model are measured, and shown by API and command line', async () => {
  const headers = { authorization: `Bearer ${gateway.token}` };
  const answer = await fetch(`${gateway.address}/api/v1/context`, { headers });
  const { addresses, discovery } = contextResponseSchema.parse(await answer.json());
  expect(addresses.map(({ path }) => path)).toEqual([
    '/mcp',
    '/mcp/common',
    '/mcp/common/calculator-mcp',
    '/mcp/common/everything-mcp',
  ]);
  for (const { path, tools, tokens } of [...addresses, { path: '/mcp/_discover', ...discovery }]) {
    const client = await connect(path);
    const { tools: listed } = await client.request({ method: 'tools/list' }, asListed);
    expect(tools, path).toBe(listed.length);
    const texts = listed.map(({ name, description, inputSchema }) =>
      JSON.stringify({ name, description, parameters: inputSchema }),
    );
    expect(tokens, path).toBe(texts.reduce((sum, text) => sum + countTokens(text), 0));
  }
  expect(discovery.tokens).toBeLessThan((addresses[0]?.tokens ?? 0) / 2);

  const { stdout, code } = await toolgate(['context', '--gateway', gateway.address], {
    TOOLGATE_TOKEN: gateway.token,
  });
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`/mcp/_discover… +3 +${discovery.tokens}\\b`));
});
