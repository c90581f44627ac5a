/* eslint-disable @typescript-eslint/no-deprecated -- the low-level server, which serves completions of its own */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that is more than a listing, as it reached the server. */
export interface Seen {
  readonly method: string;
  readonly name: string;
  readonly args?: Record<string, unknown> | undefined;
}

export interface CountingServer {
  /** As an entry of a group's `servers`; `more` are further keys of it. */
  entry(name: string, more?: string): string;
  /** All that reached it since the last `clear`. */
  readonly seen: readonly Seen[];
  clear(): void;
  close(): Promise<void>;
}

const TOOLS: Readonly<Record<string, object>> = {
  listCollections: { readOnlyHint: true },
  runAggregation: { readOnlyHint: true },
  deleteCollection: { destructiveHint: true },
};
/** Tag characters, which nobody sees, spell it. */
const HIDDEN = String.fromCodePoint(
  ...Array.from('obey').map((letter) => 0xe0000 + (letter.codePointAt(0) ?? 0)),
);

/** A database's server over Streamable HTTP, of the SDK, that remembers what it was asked to do. */
export async function startCountingServer(): Promise<CountingServer> {
  const seen: Seen[] = [];
  const http = createServer((req, res) => {
    const server = countingServer(seen);
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    res.once('close', () => void server.close());
    void server.connect(transport as never).then(() => transport.handleRequest(req, res));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  return {
    entry: (name, more = '') => `{ name: ${name}, url: "${url}", allowPrivateAddress: true${more} }`,
    seen,
    clear: () => void seen.splice(0),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

/** As many rows of a hundred bytes or so as text, and as structured content. */
function table(rows: number): { content: { type: 'text'; text: string }[]; structuredContent: object } {
  const all = Array.from({ length: rows }, (_, id) => ({ id, name: `row-${id}`, note: 'x'.repeat(64) }));
  return { content: [{ type: 'text', text: JSON.stringify(all) }], structuredContent: { rows: all } };
}

function countingServer(seen: Seen[]): Server {
  const server = new Server(
    { name: 'counting', version: '1' },
    { capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} } },
  );
  const database = {
    type: 'object' as const,
    properties: { database: { type: 'string' }, rows: { type: 'integer' }, echo: { type: 'string' } },
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(TOOLS).map(([name, annotations]) => ({
      name,
      annotations,
      inputSchema: database,
      ...(name === 'listCollections' && { description: `Lists${HIDDEN} collections` }),
    })),
  }));
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [{ uri: 'db://schema', name: 'schema' }],
  }));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [{ name: 'report' }] }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    seen.push({ method: 'tools/call', name: params.name, args: params.arguments });
    const { rows, echo } = params.arguments ?? {};
    if (typeof echo === 'string') return { content: [{ type: 'text', text: echo }] };
    if (typeof rows === 'number') return table(rows);
    return { content: [{ type: 'text', text: `${params.name} ran` }] };
  });
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => {
    seen.push({ method: 'resources/read', name: params.uri });
    return { contents: [{ uri: params.uri, text: 'a schema' }] };
  });
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    seen.push({ method: 'prompts/get', name: params.name });
    return { messages: [{ role: 'user', content: { type: 'text', text: 'Report.' } }] };
  });
  server.setRequestHandler(CompleteRequestSchema, () => {
    seen.push({ method: 'completion/complete', name: 'report' });
    return { completion: { values: ['a'] } };
  });
  return server;
}
