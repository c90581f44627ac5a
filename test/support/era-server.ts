import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/**
 * A server over standard input and output that behaves as the first file says, and notes in the second what it is
 * asked: `modern` and `legacy` speak that era only; `silent` and `exits` are legacy servers that take
 * `server/discover` badly; `slow` speaks both eras, once it has taken longer to start than the question may.
 *
 *     node test/support/era-server.ts MOOD-FILE LOG-FILE
 */
const SLOW_MS = 3_000;
const [, , moodFile = '', logFile = ''] = process.argv;
const mood = readFileSync(moodFile, 'utf8').trim();
appendFileSync(logFile, `start:${mood}\n`);
if (mood === 'slow') await sleep(SLOW_MS);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { method } = JSON.parse(line) as { readonly method?: string };
  appendFileSync(logFile, `${method}\n`);
  if (mood === 'exits' && method === 'server/discover') process.exit(3);
});

const createServer = (): McpServer => {
  const server = new McpServer({ name: 'moody', version: '1.0.0' });
  server.registerTool('era', { description: 'Tells how the server behaves' }, () => ({
    content: [{ type: 'text', text: mood }],
  }));
  return server;
};
if (mood === 'modern') serveStdio(createServer, { legacy: 'reject' });
else if (mood === 'slow') serveStdio(createServer);
else {
  const transport = new StdioServerTransport();
  await createServer().connect(transport);
  const { onmessage } = transport;
  transport.onmessage = (message) => {
    if ('method' in message && message.method === 'server/discover' && mood !== 'legacy') return;
    onmessage?.(message);
  };
}
