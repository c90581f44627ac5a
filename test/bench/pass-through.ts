import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, type Dispatcher } from 'undici';
import { announce, readLines, readRequest } from './wire.ts';

/**
 * The least that a proxy can do, written by hand as fast as it goes: no checks, no policy, no record. Streamable
 * HTTP in front; behind it the stdio server whose command line it is given, or the HTTP server at `--url ADDRESS`.
 */

/** Requests of all sessions share the child, so each gets an id of the proxy's own on the way. */
function overStdio(command: string, args: readonly string[]): Server {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.once('exit', () => process.exit(1));
  const waiting = new Map<
    number,
    { readonly id: unknown; readonly res: ServerResponse; readonly first: boolean }
  >();
  let next = 1;
  let batch = '';
  const send = (message: object): void => {
    if (batch === '') {
      setImmediate(() => {
        child.stdin.write(batch);
        batch = '';
      });
    }
    batch += `${JSON.stringify(message)}\n`;
  };
  readLines(child.stdout, (lines) => {
    for (const line of lines) {
      const message = JSON.parse(line) as { id: number };
      const caller = waiting.get(message.id);
      if (caller === undefined) continue;
      waiting.delete(message.id);
      const text = JSON.stringify({ ...message, id: caller.id });
      caller.res.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(caller.first && { 'mcp-session-id': randomUUID() }),
      });
      caller.res.end(text);
    }
  });
  return createServer((req, res) => {
    if (!isPost(req, res)) return;
    readRequest(req, (body) => {
      const message = JSON.parse(body.toString()) as { id?: unknown; method: string };
      if (message.id === undefined) {
        res.writeHead(202).end();
        send(message);
        return;
      }
      const id = next++;
      waiting.set(id, { id: message.id, res, first: message.method === 'initialize' });
      send({ ...message, id });
    });
  });
}

/** Bytes in, bytes out, over connections that are kept. */
function overHttp(address: string): Server {
  const { origin, pathname } = new URL(address);
  const agent = new Agent({ connections: 256 });
  return createServer((req, res) => {
    if (!isPost(req, res)) return;
    readRequest(req, (body) => {
      const headers = forwarded(req.headers, [
        'content-type',
        'accept',
        'mcp-session-id',
        'mcp-protocol-version',
      ]);
      agent.dispatch({ origin, path: pathname, method: 'POST', headers, body }, relay(res));
    });
  });
}

function relay(res: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart: () => undefined,
    onResponseStart: (_controller, status, headers) => {
      res.writeHead(status, forwarded(headers, ['content-type', 'content-length', 'mcp-session-id']));
    },
    onResponseData: (_controller, chunk) => void res.write(chunk),
    onResponseEnd: () => void res.end(),
    onResponseError: () => {
      if (res.headersSent) res.destroy();
      else res.writeHead(502).end();
    },
  };
}

function forwarded(
  headers: IncomingMessage['headers'],
  names: readonly string[],
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

function isPost(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.method === 'POST') return true;
  res.writeHead(req.method === 'DELETE' ? 200 : 405).end();
  return false;
}

const [first = '', ...rest] = process.argv.slice(2);
announce(first === '--url' ? overHttp(rest[0] ?? '') : overStdio(first, rest));
