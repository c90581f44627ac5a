import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { announce } from './wire.ts';

/**
 * The proxy that one makes from the MCP SDK as its documentation shows: a server for each session, all of them
 * asking one client. Behind it the stdio server whose command line it is given, or the HTTP server at
 * `--url ADDRESS`.
 */

const [first = '', ...rest] = process.argv.slice(2);
const upstream = new Client({ name: 'sdk-proxy', version: '1.0.0' });
await upstream.connect(
  first === '--url'
    ? new StreamableHTTPClientTransport(new URL(rest[0] ?? ''))
    : new StdioClientTransport({ command: first, args: rest }),
);

async function openSession(
  sessions: Map<string, StreamableHTTPServerTransport>,
): Promise<StreamableHTTPServerTransport> {
  const { server } = new McpServer({ name: 'sdk-proxy', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => upstream.listTools(params));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => upstream.callTool(params));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await server.connect(transport);
  return transport;
}

const sessions = new Map<string, StreamableHTTPServerTransport>();
const app = createMcpExpressApp();
app.all('/mcp', async (req, res) => {
  const transport = sessions.get(String(req.headers['mcp-session-id'])) ?? (await openSession(sessions));
  await transport.handleRequest(req, res, req.body);
});
announce(createServer(app));
