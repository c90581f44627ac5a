import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a call of the server comes to. */
export type Mood =
  | 'well'
  /** The connection breaks when the call has arrived. */
  | 'breaks'
  /** It never answers. */
  | 'silent'
  /** The tool says that it failed. */
  | 'tool-error'
  | { readonly status: number; readonly headers?: Record<string, string> };

export interface FlappingServer {
  /** As an entry of a group's `servers`; `more` are further keys of it. */
  entry(name: string, more?: string): string;
  /** How the calls that follow go, each by the next one and all further ones by the last. */
  moods(...moods: Mood[]): void;
  /** Calls that arrived since the last `moods`. */
  calls(): number;
  close(): Promise<void>;
}

const TOOLS = [
  { name: 'read', annotations: { readOnlyHint: true } },
  { name: 'write', annotations: { readOnlyHint: false } },
];

/** A server over Streamable HTTP that speaks JSON-RPC by hand, since no library would do what it does. */
export async function startFlappingServer(): Promise<FlappingServer> {
  let queue: Mood[] = ['well'];
  let seen = 0;
  const http = createServer((req, res) => {
    let text = '';
    req.on('data', (chunk: Buffer) => (text += chunk.toString()));
    req.on('end', () => {
      const { id, method } = (text === '' ? {} : JSON.parse(text)) as { id?: number; method?: string };
      if (method !== 'tools/call') return settle(req, res, id, method);
      seen += 1;
      const mood = (queue.length > 1 ? queue.shift() : queue[0]) ?? 'well';
      answerCall(res, id, mood);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  return {
    entry: (name, more = '') =>
      `{ name: ${name}, url: "${url}", allowPrivateAddress: true, protocol: legacy${more} }`,
    moods: (...moods) => {
      queue = moods;
      seen = 0;
    },
    calls: () => seen,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

function settle(
  req: IncomingMessage,
  res: ServerResponse,
  id: number | undefined,
  method: string | undefined,
): void {
  if (req.method !== 'POST') {
    res.writeHead(405).end();
    return;
  }
  if (method === 'initialize')
    return say(res, id, {
      protocolVersion: '2025-11-25',
      serverInfo: { name: 'flapping', version: '1' },
      capabilities: { tools: {} },
    });
  if (method === 'tools/list')
    return say(res, id, { tools: TOOLS.map((tool) => ({ ...tool, inputSchema: { type: 'object' } })) });
  if (id === undefined) res.writeHead(202).end();
  else say(res, id, {});
}

function answerCall(res: ServerResponse, id: number | undefined, mood: Mood): void {
  if (mood === 'silent') return;
  if (mood === 'breaks') {
    res.socket?.destroy();
    return;
  }
  if (typeof mood === 'object') {
    res.writeHead(mood.status, mood.headers).end();
    return;
  }
  const isError = mood === 'tool-error';
  say(res, id, {
    content: [{ type: 'text', text: isError ? 'no such row' : 'done' }],
    ...(isError && { isError }),
  });
}

function say(res: ServerResponse, id: number | undefined, result: object): void {
  res
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}
