import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../../gateway/contract/json.ts';

export interface Exchange {
  readonly message: JsonObject;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** An MCP server over HTTP that answers as each test says. It keeps sessions, as the specification has it. */
export interface HttpWorld {
  readonly url: URL;
  /** Answers a request that is not `initialize`, in the session it belongs to. */
  onRequest: (exchange: Exchange) => void;
  onGet: RequestListener;
  /** Answers a notification or a response of the gateway; 202 unless a test says otherwise. */
  onNotification: (exchange: Exchange) => void;
  readonly sessions: Set<string>;
  readonly seen: {
    readonly method: string;
    readonly session: string | undefined;
    readonly headers: IncomingMessage['headers'];
  }[];
  /** From now on every request is answered so. */
  answerAll(listener: RequestListener): void;
  close(): void;
}

export const HANDSHAKE = {
  protocolVersion: '2025-06-18',
  serverInfo: { name: 'test', version: '1' },
  capabilities: { tools: {} },
};

export function json(res: ServerResponse, message: JsonObject, headers: Record<string, string> = {}): void {
  res.writeHead(200, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
}

export function stream(res: ServerResponse): { send(message: JsonObject): void; end(): void } {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  return {
    send: (message) =>
      void res.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`),
    end: () => void res.end(),
  };
}

export async function startHttpWorld(): Promise<HttpWorld> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const world: HttpWorld = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp?tenant=a`),
    onRequest: ({ message, res }) => json(res, { id: message['id'], result: { echoed: message['method'] } }),
    onGet: (_req, res) => res.writeHead(405).end(),
    onNotification: ({ res }) => res.writeHead(202).end(),
    sessions: new Set(),
    seen: [],
    answerAll: (listener) => void server.removeAllListeners('request').on('request', listener),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  let opened = 0;
  const newSession = (): string => `session-${++opened}`;
  world.answerAll((req, res) => void serve(world, newSession, req, res));
  return world;
}

async function serve(
  world: HttpWorld,
  newSession: () => string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const session = req.headers['mcp-session-id'] as string | undefined;
  const saw = (method: string): void => void world.seen.push({ method, session, headers: req.headers });
  if (req.method === 'GET') {
    world.onGet(req, res);
    return;
  }
  if (req.method === 'DELETE') {
    saw('DELETE');
    world.sessions.delete(session ?? '');
    res.writeHead(200).end();
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  const message = JSON.parse(Buffer.concat(chunks).toString()) as JsonObject;
  const { id, method } = message;
  saw(typeof method === 'string' ? method : 'answer');
  if (method === 'initialize') {
    const fresh = newSession();
    world.sessions.add(fresh);
    json(res, { id, result: HANDSHAKE }, { 'mcp-session-id': fresh });
    return;
  }
  if (session === undefined || !world.sessions.has(session)) res.writeHead(404).end('no such session');
  else if (id === undefined || method === undefined) world.onNotification({ message, req, res });
  else world.onRequest({ message, req, res });
}
