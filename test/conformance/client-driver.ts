import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { createWalker, signIn } from '../support/browser-walk.ts';
import { configOf } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';

/**
 * What the suite's client scenarios run: it registers the suite's server, whose address is the last argument, at a
 * gateway of its own, and calls every tool through it with a client that accepts what it is asked: with the
 * arguments that the suite gives, or some that fit. Where the server wants OAuth, it signs in as a person would, whose
 * browser opens the address that the gateway gives.
 */
const contextSchema = z.object({
  toolCalls: z
    .array(
      z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).transform(withoutNulls) }),
    )
    .default([]),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  issuer: z.string().optional(),
});
const context = contextSchema.parse(JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}'));
const url = process.argv.at(-1) ?? '';
const authorizes = process.env['MCP_CONFORMANCE_SCENARIO']?.startsWith('auth/') === true;
const gateway = await startGateway({
  config: configOf({
    suite: [
      `{ name: server, url: "${url}", allowPrivateAddress: true, pins: trust${authorizes ? `, auth: ${JSON.stringify(auth())}` : ''} }`,
    ],
  }),
  env: { CONFORMANCE_SECRET: context.client_secret ?? '' },
});
try {
  if (authorizes) await signInOnce();
  // A sign-in may turn out to be no good while the server is listed: then the person signs in again.
  for (let tries = 0; (await callAll()) === 0 && authorizes && tries < 2; tries++) await signInOnce();
} finally {
  await gateway.stop();
}

/** Calls every tool; how many there are. */
async function callAll(): Promise<number> {
  const client = new Client(
    { name: 'driver', version: '1' },
    { capabilities: { elicitation: { form: { applyDefaults: true }, url: {} } } },
  );
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    if (params.mode === 'url') await signIn(createWalker(), params.url, 'somebody');
    return { action: 'accept' as const, content: {} };
  });
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
  return tools.length;
}

function auth(): object {
  const { client_id: clientId, issuer } = context;
  return {
    type: 'oauth2',
    ...(clientId !== undefined && { clientId, clientSecret: '${env:CONFORMANCE_SECRET}', issuer }),
  };
}

/** Nothing of a server is known, and nothing can be called, before somebody has signed in. */
async function signInOnce(): Promise<void> {
  const headers = { authorization: `Bearer ${gateway.token}` };
  const asked = await fetch(`${gateway.address}/api/v1/credentials/suite/server/authorize`, {
    method: 'POST',
    headers,
  });
  const { url: address } = z.object({ url: z.string() }).parse(await asked.json());
  const { status, text } = await signIn(createWalker(), address, 'somebody');
  if (status !== 200) throw new Error(text.replace(/<style>.*?<\/style>|<[^>]+>/gs, ' '));
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
