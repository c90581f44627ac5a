import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { configOf } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';

/**
 * What the suite's client scenarios run: it registers the suite's server, whose address is the last argument, at a
 * gateway of its own, and calls every tool through it with a client that accepts what it is asked: with the
 * arguments that the suite gives, or some that fit.
 */
const contextSchema = z.object({
  toolCalls: z
    .array(
      z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).transform(withoutNulls) }),
    )
    .default([]),
});
const context = contextSchema.parse(JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}'));
const url = process.argv.at(-1) ?? '';
const gateway = await startGateway({
  config: configOf({ suite: [`{ name: server, url: "${url}", allowPrivateAddress: true }`] }),
});
try {
  const client = new Client(
    { name: 'driver', version: '1' },
    { capabilities: { elicitation: { form: { applyDefaults: true } } } },
  );
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: {} }));
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/suite/server`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  const { tools } = await client.listTools();
  for (const { name, inputSchema } of tools) {
    const given = context.toolCalls.find((call) => call.name === name)?.arguments;
    await client.callTool({ name, arguments: given ?? some(inputSchema.properties ?? {}) });
  }
  await transport.terminateSession();
  await client.close();
} finally {
  await gateway.stop();
}

/** The gateway holds arguments to their schemas, which know no null where the suite sends one. */
function withoutNulls(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

/** An argument of the right type for each property. */
function some(properties: object): Record<string, unknown> {
  const values = Object.entries(properties as Record<string, { type?: unknown }>).map(
    ([key, { type }], index) => [key, type === 'string' ? key : type === 'boolean' ? true : index + 1],
  );
  return Object.fromEntries(values) as Record<string, unknown>;
}
