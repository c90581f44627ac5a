import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProtectedServer {
  readonly url: string;
  /** The `Authorization` of each request that came, undefined where there was none. */
  readonly seen: (string | undefined)[];
  /** Which issuer's tokens it takes, and names in its metadata. */
  takeTokensOf(issuer: string): void;
  /** Refuses every token that it has taken so far. */
  refuseKnown(): void;
  close(): void;
}

/**
 * A real MCP server that wants tokens of an issuer: `whoami` answers whose token it saw, `write` wants the scope
 * `mcp:write` beside `mcp:read`, `never` wants one that is granted to nobody, and `leak` repeats its token in an error.
 */
export async function startProtectedServer(first: string): Promise<ProtectedServer> {
  let issuer = first;
  const seen: (string | undefined)[] = [];
  const refused = new Set<string>();
  const known = new Set<string>();
  const http = createServer((req, res) => void answer(req, res));
  const wellKnown = '/.well-known/oauth-protected-resource/mcp';
  const challenge = (res: ServerResponse, status: number, more: string): void => {
    const header = `Bearer resource_metadata="${origin}${wellKnown}", ${more}`;
    res.writeHead(status, { 'www-authenticate': header }).end();
  };
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (req.url === wellKnown) {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ resource: `${origin}/mcp`, authorization_servers: [issuer] }));
      return;
    }
    if (req.url !== '/mcp') {
      res.writeHead(404).end();
      return;
    }
    const { authorization } = req.headers;
    seen.push(authorization);
    const token = authorization?.replace(/^Bearer /, '') ?? '';
    const claims = await claimsOf(token, issuer, `${origin}/mcp`);
    if (claims === undefined || refused.has(token)) {
      challenge(res, 401, 'scope="mcp:read"');
      return;
    }
    known.add(token);
    const body = await bodyOf(req);
    const tool = /"name":"(write|never)"/.exec(body)?.[1];
    const wanted = tool === 'never' ? 'mcp:admin' : 'mcp:write';
    if (body.includes('"tools/call"') && tool !== undefined && !claims.scope.includes(wanted)) {
      challenge(res, 403, `error="insufficient_scope", scope="${wanted}"`);
      return;
    }
    if (/"tools\/call".*"name":"leak"/.test(body)) {
      res.writeHead(500).end(`I was asked with ${authorization ?? ''}`);
      return;
    }
    const server = serverFor(`${claims.sub} ${claims.scope.join(' ')}`);
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    res.once('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(req, res, JSON.parse(body));
  };
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    url: `${origin}/mcp`,
    seen,
    takeTokensOf: (next) => void (issuer = next),
    refuseKnown: () => known.forEach((token) => refused.add(token)),
    close: () => {
      http.close();
      http.closeAllConnections();
    },
  };
}

function serverFor(caller: string): McpServer {
  const server = new McpServer({ name: 'protected', version: '1' });
  for (const name of ['whoami', 'write', 'never', 'leak'])
    server.registerTool(name, {}, () => ({ content: [{ type: 'text', text: `${name}: ${caller}` }] }));
  return server;
}

async function claimsOf(
  token: string,
  issuer: string,
  audience: string,
): Promise<{ readonly sub: string; readonly scope: readonly string[] } | undefined> {
  try {
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    const { payload } = await jwtVerify(token, keys, { issuer, audience });
    const sub = payload.sub ?? String(payload['client_id']);
    const { scope } = payload;
    return { sub, scope: typeof scope === 'string' ? scope.split(' ') : [] };
  } catch {
    return undefined;
  }
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text === '' ? 'null' : text;
}
