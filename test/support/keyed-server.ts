import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import * as z from 'zod';

export interface Keyed {
  readonly url: string;
  /** The headers of each request that came. */
  readonly seen: IncomingHttpHeaders[];
}

/** A real server whose tool `whoami` answers how long the `x-key` is that it is asked with, and its last character. */
export async function keyedServer(finished: (stop: () => void) => void = onTestFinished): Promise<Keyed> {
  const seen: IncomingHttpHeaders[] = [];
  const http = createServer((req, res) => {
    seen.push(req.headers);
    if (req.headers['x-key'] === undefined) {
      res.writeHead(401).end();
      return;
    }
    const server = new McpServer({ name: 'keyed', version: '1' });
    const inputSchema = { pass: z.string().optional() };
    server.registerTool('whoami', { inputSchema }, async (_args, { requestInfo }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const text = `digest ${String(requestInfo?.headers['x-key']).length} ${String(requestInfo?.headers['x-key']).slice(-1)}`;
      return { content: [{ type: 'text', text }] };
    });
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    res.once('close', () => void server.close());
    void server.connect(transport as never).then(() => transport.handleRequest(req, res));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  finished(() => {
    http.close();
    http.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, seen };
}
