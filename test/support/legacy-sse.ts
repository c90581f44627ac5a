import type { IncomingMessage, ServerResponse } from 'node:http';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';

/** A server's side of one session over HTTP+SSE (MCP 2024-11-05), of the SDK. */
export interface SseSession {
  readonly sessionId: string;
  post(req: IncomingMessage, res: ServerResponse): Promise<void>;
}

/** Opens a session of `server` on the response; messages are to be posted to `endpoint`. */
export function serveSse(server: McpServer, endpoint: string, res: ServerResponse): SseSession {
  const transport = new SSEServerTransport(endpoint, res);
  void server.connect(transport);
  return {
    sessionId: transport.sessionId,
    post: (req, res) => transport.handlePostMessage(req, res),
  };
}

/** Connects the SDK's client over HTTP+SSE. */
export async function connectSse(
  client: Client,
  address: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const transport = new SSEClientTransport(new URL(address), { requestInit: { headers } });
  await client.connect(transport);
}
