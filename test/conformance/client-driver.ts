import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { configOf } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';

/**
 * What the suite's client scenarios run: it registers the suite's server, whose address is the last argument, at a
 * gateway of its own, and calls every tool through it with a client that accepts what it is asked.
 */
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
    const numbers = Object.keys(inputSchema.properties ?? {}).map((key, index) => [key, index + 1]);
    await client.callTool({ name, arguments: Object.fromEntries(numbers) as Record<string, unknown> });
  }
  await transport.terminateSession();
  await client.close();
} finally {
  await gateway.stop();
}
