import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { ClientDescription, Connection, ConnectionEvents, Handshake } from './connection.ts';
import { enveloped } from './envelope.ts';
import { JsonRpcError, UnavailableError } from './errors.ts';
import { MarkedTools } from './marked-tools.ts';
import type { ModernHttpTransport } from './modern-http-transport.ts';
import type { Peer } from './peer.ts';
import { subscribe } from './subscription.ts';

type Request = Connection['request'];

/** Errors of the specification (MCP 2026-07-28, Error Codes) that may be about the gateway's own request. */
const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;

/**
 * Requests of the modern era: each says who asks. Results come back as they are; an error about the gateway's own
 * version is told in words, since the caller's is another.
 */
export function modernRequest(peer: Peer, client: ClientDescription): Request {
  return (method, params, options) =>
    peer.request(method, enveloped(params, client, options.envelope), options).then(checked, explained);
}

/** The same over HTTP, where what a tool marks in its schema goes into headers as well. */
export function modernHttpRequest(
  peer: Peer,
  client: ClientDescription,
  transport: ModernHttpTransport,
  warn: (words: string) => void,
): Request {
  const plain = modernRequest(peer, client);
  const tools = new MarkedTools(warn);
  transport.argumentHeaders = (params) => tools.headers(params);
  const list: Request = async (method, params, options) =>
    tools.learn(params, await plain(method, params, options));
  return (method, params, options) => {
    if (method === 'tools/list') return list(method, params, options);
    if (method !== 'tools/call') return plain(method, params, options);
    return plain(method, params, options).catch(async (error: unknown) => {
      if (!(error instanceof JsonRpcError) || error.code !== HEADER_MISMATCH) throw error;
      // The tool may have changed its marks; the call was refused before it began.
      const before = JSON.stringify(tools.headers(params));
      await relearn(list, options.signal);
      if (JSON.stringify(tools.headers(params)) !== before) return plain(method, params, options);
      throw new UnavailableError(
        `the server does not accept the headers of the gateway's request: ${error.message}`,
      );
    });
  };
}

/** Keeps listening to the changes of those lists that the server says it announces, until the signal aborts. */
export async function listenToLists(
  request: Request,
  handshake: Handshake,
  events: Pick<ConnectionEvents, 'onNotification' | 'onRenewed'>,
  signal: AbortSignal,
): Promise<void> {
  const changes = listChanges(handshake);
  if (changes === undefined) return;
  const onOpened = (again: boolean): void => {
    if (again) events.onRenewed();
  };
  await subscribe(request, changes, { onNotification: events.onNotification, onOpened }, signal);
}

function listChanges({ capabilities }: Handshake): JsonObject | undefined {
  const announced = (['tools', 'prompts', 'resources'] as const).filter((name) => {
    const offered = capabilities[name];
    return isJsonObject(offered) && offered['listChanged'] === true;
  });
  if (announced.length === 0) return undefined;
  return Object.fromEntries(announced.map((name) => [`${name}ListChanged`, true]));
}

const MAX_PAGES = 100;

async function relearn(list: Request, signal: AbortSignal): Promise<void> {
  let params: JsonObject = {};
  for (let page = 0; page < MAX_PAGES; page++) {
    const { nextCursor: cursor } = await list('tools/list', params, { signal });
    if (typeof cursor !== 'string') return;
    params = { cursor };
  }
}

const RESULT_TYPES: ReadonlySet<unknown> = new Set([undefined, 'complete', 'input_required']);

function checked(result: JsonObject): JsonObject {
  const { resultType } = result;
  if (RESULT_TYPES.has(resultType)) return result;
  throw new UnavailableError(
    `the server answered with a result of the unknown type ${JSON.stringify(resultType)}`,
  );
}

function explained(error: unknown): never {
  if (error instanceof JsonRpcError && error.code === UNSUPPORTED_VERSION)
    throw new UnavailableError(`the server refuses the gateway's protocol version: ${error.message}`, {
      cause: error,
    });
  throw error;
}
