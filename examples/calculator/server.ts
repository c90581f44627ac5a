import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { parseArgs } from 'node:util';
import { z } from 'zod';

/**
 * An MCP server of your own, as small as one gets: four tools over Streamable HTTP.
 *
 *     node dist/examples/calculator.js --port 8700
 *
 * Register it in toolgate.yaml with its address, or let the gateway run it (`command` beside `url`).
 */

const { values } = parseArgs({ options: { port: { type: 'string', default: '8700' } } });
const port = Number(values.port);

const operations = {
  add: { title: 'Add', description: 'Adds two numbers', run: (a: number, b: number) => a + b },
  subtract: { title: 'Subtract', description: 'Subtracts b from a', run: (a: number, b: number) => a - b },
  multiply: {
    title: 'Multiply',
    description: 'Multiplies two numbers',
    run: (a: number, b: number) => a * b,
  },
  divide: {
    title: 'Divide',
    description: 'Divides a by b; b must not be 0',
    run: (a: number, b: number) => a / b,
  },
};

function createServer(): McpServer {
  const server = new McpServer({ name: 'calculator-mcp', version: '1.0.0' });
  for (const [name, { title, description, run }] of Object.entries(operations)) {
    server.registerTool(
      name,
      {
        title,
        description,
        inputSchema: z.strictObject({ a: z.number(), b: z.number() }),
        outputSchema: z.object({ result: z.number() }),
        annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
      },
      ({ a, b }) => {
        const result = run(a, b);
        if (!Number.isFinite(result)) {
          return {
            isError: true,
            content: [{ type: 'text', text: `${a} ${name} ${b} has no finite result` }],
          };
        }
        return { content: [{ type: 'text', text: String(result) }], structuredContent: { result } };
      },
    );
  }
  return server;
}

const app = createMcpExpressApp();
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
app.all('/mcp', (_req, res) => {
  res.status(405).set('allow', 'POST').end();
});

const listener = app.listen(port, '127.0.0.1', (error?: Error) => {
  if (error) {
    console.error(`calculator-mcp cannot listen on 127.0.0.1:${port}: ${error.message}`);
    process.exit(1);
  }
  console.error(`calculator-mcp listens on http://127.0.0.1:${port}/mcp`);
});
process.on('SIGTERM', () => {
  listener.close();
  listener.closeAllConnections();
});
