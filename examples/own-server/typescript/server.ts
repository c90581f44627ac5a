import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/**
 * An internal service as MCP tools, over Streamable HTTP: a list of incidents that can be read and acknowledged.
 *
 *     PORT=8701 node examples/own-server/typescript/server.ts
 *
 * With API_KEY set, every request must show it in X-API-Key. HOST is 127.0.0.1 unless it says otherwise.
 */

const { PORT = '8701', HOST = '127.0.0.1', API_KEY } = process.env;

interface Incident {
  readonly id: number;
  readonly title: string;
  acknowledgedBy?: string;
}

const incidents: Incident[] = [
  { id: 1, title: 'Checkout answers slowly' },
  { id: 2, title: 'A certificate expires in three days' },
];

function createServer(): McpServer {
  const server = new McpServer({ name: 'incidents', version: '1.0.0' });
  server.registerTool(
    'list_incidents',
    {
      description: 'Lists the open incidents, and who has acknowledged them',
      annotations: { readOnlyHint: true },
    },
    () => ({ content: [{ type: 'text', text: JSON.stringify(incidents) }] }),
  );
  server.registerTool(
    'acknowledge_incident',
    {
      description: 'Says that somebody takes care of an incident',
      inputSchema: z.strictObject({ id: z.int(), by: z.string().min(1) }),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true },
    },
    ({ id, by }) => {
      const incident = incidents.find((one) => one.id === id);
      if (incident === undefined)
        return { isError: true, content: [{ type: 'text', text: `there is no incident ${id}` }] };
      incident.acknowledgedBy = by;
      return { content: [{ type: 'text', text: `${by} takes care of "${incident.title}"` }] };
    },
  );
  return server;
}

function holds(shown: string | undefined): boolean {
  if (API_KEY === undefined) return true;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return shown !== undefined && timingSafeEqual(digest(shown), digest(API_KEY));
}

const app = createMcpExpressApp({ host: HOST });
app.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
app.use('/mcp', (req, res, next) => {
  if (holds(req.get('x-api-key'))) next();
  else res.status(401).json({ error: 'show the key in X-API-Key' });
});
// Without sessions: each request gets a server of its own, so any number of replicas can serve it.
app.post('/mcp', async (req, res) => {
  const server = createServer();
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  res.on('close', () => {
    void transport.close();
    void server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
});
app.all('/mcp', (_req, res) => void res.status(405).set('allow', 'POST').end());

const listener = app.listen(Number(PORT), HOST, (error?: Error) => {
  if (error) {
    console.error(`incidents cannot listen on ${HOST}:${PORT}: ${error.message}`);
    process.exit(1);
  }
  console.error(`incidents listens on http://${HOST}:${PORT}/mcp`);
});
process.on('SIGTERM', () => {
  listener.close();
  listener.closeAllConnections();
});
