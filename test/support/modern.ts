import { Client, StreamableHTTPClientTransport, type ClientCapabilities } from '@modelcontextprotocol/client';

/** Who asks, and where. */
export interface Caller {
  readonly address: string;
  readonly token: string;
}

/** A JSON-RPC message as it came. */
export type Message = Record<string, unknown> & {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
};

/** What a request of the modern era is sent with, where it differs from what is right. */
export interface Sending {
  readonly capabilities?: object;
  readonly meta?: Record<string, unknown>;
  readonly headers?: Record<string, string | undefined>;
  readonly signal?: AbortSignal;
  readonly id?: string | number;
}

export const VERSION = '2026-07-28';
export const ENVELOPE = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  info: 'io.modelcontextprotocol/clientInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
} as const;
const NAMES: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** Posts a request of the modern era (MCP 2026-07-28), with the headers that belong to it. */
export function send(
  { address, token }: Caller,
  path: string,
  method: string,
  params: Record<string, unknown> = {},
  { capabilities = {}, meta = {}, headers = {}, signal, id = 1 }: Sending = {},
): Promise<Response> {
  const name = params[NAMES[method] ?? ''];
  const sent: Record<string, string | undefined> = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': VERSION,
    'mcp-method': method,
    ...(typeof name === 'string' && { 'mcp-name': name }),
    ...headers,
  };
  const envelope = { [ENVELOPE.version]: VERSION, [ENVELOPE.capabilities]: capabilities, ...meta };
  return fetch(address + path, {
    method: 'POST',
    headers: Object.entries(sent).filter((one): one is [string, string] => one[1] !== undefined),
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: envelope } }),
    ...(signal && { signal }),
  });
}

/** The messages of an answer, be it a JSON body or an event stream. */
export async function messagesOf(answer: Response): Promise<Message[]> {
  const text = await answer.text();
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true)
    return [JSON.parse(text) as Message];
  const events = text.split('\n').filter((line) => line.startsWith('data: '));
  return events.map((line) => JSON.parse(line.slice('data: '.length)) as Message);
}

/** Posts a request and gives the status and the last message of the answer. */
export async function ask(
  caller: Caller,
  path: string,
  method: string,
  params: Record<string, unknown> = {},
  sending: Sending = {},
): Promise<Message & { readonly status: number }> {
  const answer = await send(caller, path, method, params, sending);
  return { status: answer.status, ...(await messagesOf(answer)).at(-1) };
}

/** A real client that speaks the modern era and no other. */
export async function connectModern(
  { address, token }: Caller,
  path: string,
  capabilities: ClientCapabilities = {},
): Promise<Client> {
  const client = new Client(
    { name: 'modern', version: '1' },
    { capabilities, versionNegotiation: { mode: { pin: VERSION } } },
  );
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(address + path), { requestInit }));
  return client;
}
