import { spawn } from 'node:child_process';
import { Client, type Dispatcher } from 'undici';
import { readLines } from './wire.ts';

/** What the load generator talks to: a server's command line, or an MCP address. */
export type Target =
  | { readonly kind: 'stdio'; readonly command: readonly string[] }
  | { readonly kind: 'http'; readonly url: string; readonly token?: string };

/** An initialised MCP session, or the share of one, that has one call in flight at most. */
export interface Session {
  /** Calls `echo` and checks its answer; rejects when it is not the text that was sent. */
  echo(text: string): Promise<void>;
  close(): Promise<void>;
}

const CALL_TIMEOUT_MS = 10_000;
const VERSION = '2025-11-25';
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } },
});
const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });

/** Opens `count` sessions. Over HTTP each has a connection of its own; a stdio server has one session, shared. */
export function openSessions(target: Target, count: number): Promise<readonly Session[]> {
  if (target.kind === 'stdio') return openStdio(target.command, count);
  return Promise.all(Array.from({ length: count }, () => openHttp(target.url, target.token)));
}

function callText(id: number, text: string): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'echo', arguments: { text } },
  });
}

interface Answer {
  readonly id?: unknown;
  readonly result?: { readonly isError?: boolean; readonly content?: readonly { readonly text?: string }[] };
}

function check(answer: string, id: number, text: string): void {
  const message = JSON.parse(answer) as Answer;
  const right =
    message.id === id && message.result?.isError !== true && message.result?.content?.[0]?.text === text;
  if (!right) throw new Error(`wrong answer to the call ${id} of echo "${text}": ${answer.slice(0, 500)}`);
}

async function openHttp(url: string, token: string | undefined): Promise<Session> {
  const { origin, pathname } = new URL(url);
  const limits = { headersTimeout: CALL_TIMEOUT_MS, bodyTimeout: CALL_TIMEOUT_MS };
  const client = new Client(origin, { pipelining: 1, ...limits });
  const headers: Record<string, string> = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const send = (method: 'POST' | 'DELETE', body: string | null): Promise<Reply> =>
    exchange(client, { path: pathname, method, headers, body });

  const { sessionId } = await send('POST', INITIALIZE);
  if (sessionId !== undefined) headers['mcp-session-id'] = sessionId;
  headers['mcp-protocol-version'] = VERSION;
  await send('POST', INITIALIZED);
  let id = 0;
  return {
    echo: async (text) => {
      const reply = await send('POST', callText(++id, text));
      check(reply.streamed ? lastEvent(reply.body) : reply.body, id, text);
    },
    close: async () => {
      await send('DELETE', null);
      await client.close();
    },
  };
}

interface Reply {
  readonly body: string;
  readonly streamed: boolean;
  readonly sessionId: string | undefined;
}

function exchange(client: Client, request: Dispatcher.DispatchOptions): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let streamed = false;
    let sessionId: string | undefined;
    let body = '';
    client.dispatch(request, {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, statusCode, headers) => {
        status = statusCode;
        streamed = String(headers['content-type']).startsWith('text/event-stream');
        sessionId = headers['mcp-session-id'] as string | undefined;
      },
      onResponseData: (_controller, chunk) => (body += chunk.toString()),
      onResponseEnd: () => {
        if (status < 300) resolve({ body, streamed, sessionId });
        else reject(new Error(`HTTP ${status} to ${request.method}: ${body.slice(0, 500)}`));
      },
      onResponseError: (_controller, error) => reject(error),
    });
  });
}

/** The data of the last event that has any. */
function lastEvent(stream: string): string {
  return (
    stream
      .split('\n')
      .findLast((line) => line.startsWith('data: {'))
      ?.slice('data: '.length) ?? '{}'
  );
}

async function openStdio(command: readonly string[], count: number): Promise<readonly Session[]> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const waiting = new Map<number, { resolve: (answer: string) => void; reject: (error: Error) => void }>();
  const fail = (error: Error): void => waiting.forEach(({ reject }) => reject(error));
  child.once('error', fail);
  child.once('close', () => fail(new Error('the server ended')));
  child.stdin.on('error', fail);
  readLines(child.stdout, (lines) => {
    for (const line of lines) {
      const { id } = JSON.parse(line) as { id: number };
      waiting.get(id)?.resolve(line);
      waiting.delete(id);
    }
  });
  const request = (id: number, message: string): Promise<string> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.stdin.write(`${message}\n`);
    });

  await request(0, INITIALIZE);
  child.stdin.write(`${INITIALIZED}\n`);
  let next = 1;
  const session: Session = {
    echo: async (text) => {
      const id = next++;
      check(await request(id, callText(id, text)), id, text);
    },
    close: () => {
      child.stdin.end();
      return gone;
    },
  };
  return Array.from({ length: count }, () => session);
}
