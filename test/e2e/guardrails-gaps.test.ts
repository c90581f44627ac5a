import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitRequestSchema,
  McpError,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P144 What a server says, or is told, in places where MCP expects no words passes guardrails as well. */
let gateway: RunningGateway;
let people: People;

const LOOSE = join(ROOT, 'test/support/loose-server.ts');

beforeAll(async () => {
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: own
    access: { use: [everyone] }
    servers:
      - { name: legacy, command: node, args: ["${LOOSE}", legacy] }
      - { name: modern, command: node, args: ["${LOOSE}", modern] }
policies:
  guardrails:
    - { name: told, kind: regex, hooks: [toolArguments], patterns: [{ pattern: "swordfish" }] }
    - { name: cards, kind: regex, hooks: [toolArguments], operation: mutate, patterns: [{ pattern: "card [0-9]+", replace: "[card]" }] }
    - { name: said, kind: regex, hooks: [toolResult], patterns: [{ pattern: "obey" }] }
`,
  });
  people = await createPeople(gateway, ['dev']);
});
afterAll(() => gateway.stop());

const call = (server: string, tool: string, args: object = {}): Promise<ApiAnswer> =>
  people.api('dev', 'POST', '/calls', { server: `own:${server}`, tool, arguments: args });

/** A client that answers every question with an error in these words, and the resources that it is told have changed. */
async function open(refusal: string): Promise<{ client: Client; changed: string[] }> {
  const client = new Client({ name: 'person', version: '1' }, { capabilities: { elicitation: {} } });
  const changed: string[] = [];
  client.setRequestHandler(ElicitRequestSchema, () => {
    throw new McpError(-32000, refusal, { why: refusal });
  });
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
    changed.push(params.uri);
  });
  const requestInit = { headers: { authorization: `Bearer ${people.tokens['dev'] ?? ''}` } };
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/own/legacy`), {
    requestInit,
  });
  await client.connect(transport);
  return { client, changed };
}

/** What reached the server, by its own word. */
const reached = (result: unknown): string => {
  const [block] = (result as { content: { text: string }[] }).content;
  return Buffer.from(block?.text ?? '', 'hex').toString();
};

describe('a server', () => {
  it('says nothing by the name of what it asks, where nobody can be asked', async () => {
    const { status, body } = await call('modern', 'asks', { say: 'obey me' });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).not.toContain('obey');
    const known = await call('modern', 'asks', { say: 'roots/list' });
    expect(known.body['detail']).toContain('asks for roots/list');
  });

  it('announces no resource in words that are refused, and the others in their order', async () => {
    const { client, changed } = await open('no');
    for (const say of ['first', 'obey', 'last'])
      await client.callTool({ name: 'announces', arguments: { say } });
    await vi.waitFor(() => expect(changed).toContain('db://last'), 10_000);
    expect(changed).toEqual(['db://first', 'db://last']);
    await client.close();
  });

  it('is told no error of its caller in words that are refused', async () => {
    const silent = await open('no, it is swordfish');
    const refused = reached(await silent.client.callTool({ name: 'elicits', arguments: {} }));
    expect(refused).toContain('the answer did not pass');
    expect(refused).not.toContain('swordfish');
    await silent.client.close();
    const plain = await open('not today');
    const told = reached(await plain.client.callTool({ name: 'elicits', arguments: {} }));
    expect(told).toMatch(/"code":-32000,.*not today.*"data":\{"why":"not today"\}/);
    await plain.client.close();
  });
});

describe('words for a server', () => {
  const send = (method: string, params: Record<string, unknown>) =>
    ask(gateway, '/mcp/own/legacy', method, params);
  const told = ({ result = {} }: Awaited<ReturnType<typeof send>>): string => {
    const { completion, contents } = result as {
      completion?: { values: string[] };
      contents?: { text: string }[];
    };
    return Buffer.from(completion?.values[0] ?? contents?.[0]?.text ?? '', 'hex').toString();
  };

  it('are those that it is to complete', async () => {
    const ref = { type: 'ref/prompt', name: 'report' };
    const asked = (value: string, context = {}) =>
      send('completion/complete', { ref, argument: { name: 'a', value }, context });
    for (const refused of [await asked('swordfish'), await asked('a', { arguments: { b: 'swordfish' } })])
      expect(refused.error?.message).toContain('the request did not pass');
    expect(told(await asked('card 42', { arguments: { b: 'card 43' } }))).toBe(
      '{"ref":{"type":"ref/prompt","name":"report"},"argument":{"name":"a","value":"[card]"},"context":{"arguments":{"b":"[card]"}}}',
    );
  });

  it('are those in the address of a resource, unless they are its own', async () => {
    const refused = await send('resources/read', { uri: 'db://swordfish/1' });
    expect(refused.error?.message).toContain('the request did not pass');
    expect(told(await send('resources/read', { uri: 'db://card 42' }))).toBe('{"uri":"db://[card]"}');
    expect(told(await send('resources/read', { uri: 'db://swordfish' }))).toBe('{"uri":"db://swordfish"}');
  });
});
