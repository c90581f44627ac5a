import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../identity/principal.ts';
import { CODES, readMessage, type Incoming, type Reply } from '../mcp/jsonrpc.ts';
import { namesModern, speaksModern } from '../mcp/modern/request.ts';
import type { Scope } from '../mcp/scope.ts';
import { BodyError, parseBody, readBody } from './body.ts';
import { MetadataError, readCallerWords } from './caller-words.ts';
import { rpcError, type HttpExchange, type Posted } from './mcp-exchange.ts';
import type { LegacyMcp } from './mcp-legacy.ts';
import type { ModernMcp } from './mcp-modern.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 16 * 1024 * 1024;

/** Serves `/mcp`, `/mcp/{group}` and `/mcp/{group}/{server}`, and the same under `/mcp/_discover`. */
export interface McpRoutes {
  /** False when the path is none of these. */
  handle(req: IncomingMessage, res: ServerResponse, principal: Principal, path: string): Promise<boolean>;
  close(): void;
}

/** Streamable HTTP at the MCP addresses. Each request says by itself which era it speaks. */
export function createMcpRoutes(legacy: LegacyMcp, modern: ModernMcp): McpRoutes {
  const post = async (exchange: HttpExchange): Promise<void> => {
    const posted = await readPosted(exchange.req, exchange.res);
    if (posted === undefined) return;
    if (speaksModern(exchange.req.headers, posted.message)) await modern.post(exchange, posted);
    else await legacy.post(exchange, posted);
  };
  return {
    handle: async (req, res, principal, path) => {
      const scope = scopeOf(path);
      if (scope === undefined) return false;
      const exchange: HttpExchange = { req, res, principal, scope, path };
      if (req.method === 'POST') await post(exchange);
      else if (namesModern(req.headers)) modern.refuse(exchange);
      else if (req.method === 'GET') legacy.openStream(exchange);
      else if (req.method === 'DELETE') legacy.endSession(exchange);
      else sendProblem(res, 405, 'MCP takes POST, GET and DELETE', {}, { allow: 'POST, GET, DELETE' });
      return true;
    },
    close: () => {
      modern.close();
      legacy.close();
    },
  };
}

/** No group's name: those start with a letter or digit. */
const DISCOVERY = '_discover';

/** `/mcp` or `/mcp/_discover`, and up to two further segments; a trailing slash is tolerated. */
export function scopeOf(path: string, at: 'mcp' | 'sse' = 'mcp'): Scope | undefined {
  const [root, ...segments] = path.replace(/\/$/, '').slice(1).split('/');
  const mode = segments[0] === DISCOVERY ? { discovery: true } : {};
  const [group, server, ...more] = mode.discovery === true ? segments.slice(1) : segments;
  if (root !== at || more.length > 0) return undefined;
  if (group === undefined) return { kind: 'all', ...mode };
  return server === undefined
    ? { kind: 'group', group, ...mode }
    : { kind: 'server', group, server, ...mode };
}

/** Reads the one message of a POST; undefined when it was none, and was answered so. */
export async function readPosted(
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Posted<Incoming | Reply> | undefined> {
  const began = performance.now();
  try {
    const words = readCallerWords(req.headers);
    const body = await readBody(req, BODY_LIMIT);
    const message = readMessage(parseBody(body));
    if (message !== undefined) return { message, bytes: body.length, words, began };
    const what = 'the body is not one JSON-RPC 2.0 message; batches are not supported';
    rpcError(res, 400, null, CODES.invalidRequest, what);
  } catch (error) {
    if (error instanceof MetadataError) {
      rpcError(res, 400, null, CODES.invalidRequest, error.message);
      return undefined;
    }
    const refused = error instanceof BodyError;
    const words = refused ? error.message : 'the body is not JSON';
    rpcError(res, refused ? error.status : 400, null, CODES.parseError, words);
  }
  return undefined;
}
