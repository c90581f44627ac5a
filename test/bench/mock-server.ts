import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { announce, readLines, readRequest } from './wire.ts';

/**
 * The upstream of every measured path: a minimal MCP server (2025-11-25) with one tool, `echo`, that does as little
 * as an answer takes. It speaks stdio, or with `--http` Streamable HTTP on a port that it announces to its parent.
 */

const ECHO = {
  name: 'echo',
  description: 'Answers the text it is given',
  inputSchema: {
    type: 'object',
    properties: { text: { type: 'string' } },
    required: ['text'],
    additionalProperties: false,
  },
};

interface Message {
  readonly id?: string | number;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly text?: string } };
}

/** The answer's text; undefined for a notification. */
function answer({ id, method, params }: Message): string | undefined {
  if (id === undefined) return undefined;
  switch (method) {
    case 'initialize':
      return result(id, {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'echo', version: '1.0.0' },
      });
    case 'tools/list':
      return result(id, { tools: [ECHO] });
    case 'tools/call':
      return result(id, { content: [{ type: 'text', text: params?.arguments?.text }] });
    case 'ping':
      return result(id, {});
    default:
      return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } });
  }
}

function result(id: string | number, value: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result: value });
}

function serveStdio(): void {
  readLines(process.stdin, (lines) => {
    const answers = lines
      .map((line) => answer(JSON.parse(line) as Message))
      .filter((text) => text !== undefined);
    if (answers.length > 0) process.stdout.write(`${answers.join('\n')}\n`);
  });
}

function serveHttp(): void {
  const server = createServer((req, res) => {
    if (req.method !== 'POST') {
      res.writeHead(req.method === 'DELETE' ? 200 : 405).end();
      return;
    }
    readRequest(req, (body) => {
      const message = JSON.parse(body.toString()) as Message;
      const text = answer(message);
      if (text === undefined) {
        res.writeHead(202).end();
        return;
      }
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(message.method === 'initialize' && { 'mcp-session-id': randomUUID() }),
      });
      res.end(text);
    });
  });
  announce(server);
}

if (process.argv.includes('--http')) serveHttp();
else serveStdio();
