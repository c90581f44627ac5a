import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificate.ts';
import { nonceSchema, SHARING_PATH, type SharingAnswer } from '../contract/sharing.ts';
import type { Principal } from '../identity/principal.ts';
import type { Log } from '../telemetry/log.ts';
import type { HeldBodies } from './held-bodies.ts';
import type { Perimeter } from './perimeter.ts';
import { sendJsonText, sendProblem } from './respond.ts';

/** A surface of the data plane: false when the path is not its own. */
export type AuthenticatedRoute = (
  req: IncomingMessage,
  res: ServerResponse,
  principal: Principal,
  path: string,
) => Promise<boolean>;

export interface ServerDeps {
  readonly perimeter: Perimeter;
  /** With one, HTTPS is spoken and nothing else. */
  readonly certificate?: Certificate | undefined;
  readonly bodies: HeldBodies;
  /** Asked in order, with the caller known. */
  readonly dataPlane: readonly { readonly prefix: string; readonly handle: AuthenticatedRoute }[];
  /** Answers a challenge of another window's gateway; only an embedded gateway does. */
  readonly sharing?: ((nonce: string) => SharingAnswer) | undefined;
  /** `/v0.1`, which may be read without a token; false when the path is not its own. */
  readonly registryApi: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;
  /** Who gives tokens for the MCP addresses; read without one. */
  readonly protectedResource: (req: IncomingMessage, res: ServerResponse, path: string) => boolean;
  /** Where browsers sign in; false when the path is not its own. */
  readonly signIn: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;
  /** The browser's way to a sign-in at a server and back; false when the path is not its own. */
  readonly oauth: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;
  readonly console: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;
  /** The control plane; takes what is left. */
  readonly admin: RequestListener;
  readonly log: Log;
}

export interface HttpServer {
  /** Resolves when it listens. Rejects when the port is taken, or the certificate cannot be used. */
  listen(host: string, port: number): Promise<void>;
  /** 0 while it does not listen. */
  port(): number;
  /** Cuts what still streams, and what is idle. */
  close(): void;
}

/** The paths of signing in; all others are spared the question. */
const SIGN_IN = /^\/(?:api\/v1\/sign-in|sign-in)\b/;

/** More would be a flood: a client keeps a handful, a proxy in front some hundreds. */
const MAX_CONNECTIONS = 10_000;

/**
 * The HTTP server. The data plane's handlers take Node's own request and response and sit in front of Express,
 * whose per-request work costs more than theirs.
 */
export function createHttpServer(deps: ServerDeps): HttpServer {
  const { certificate } = deps;
  const options = { connectionsCheckingInterval: 5_000 };
  const listener: RequestListener = (req, res) => {
    route(deps, req, res).catch((error: unknown) => {
      deps.log.error({ err: error, method: req.method }, 'a request failed');
      if (res.headersSent) res.destroy();
      else sendProblem(res, 500, 'the gateway failed to answer; its log says why');
    });
  };
  const tls = certificate && createTlsServer(options, listener);
  const server = tls ?? createServer(options, listener);
  server.maxConnections = MAX_CONNECTIONS;
  // Longer than common clients keep idle connections, so that it is never the server who closes one in use.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 20_000;
  server.requestTimeout = 60_000;
  return {
    listen: async (host, port) => {
      if (certificate !== undefined) {
        tls?.setSecureContext(await certificate.read());
        certificate.follow((renewed) => tls?.setSecureContext(renewed));
      }
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      });
    },
    port: () => (server.address() as AddressInfo | null)?.port ?? 0,
    close: () => {
      certificate?.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function route(deps: ServerDeps, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (!deps.perimeter.admit(req, res)) return;
  const url = req.url ?? '/';
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  if (path === '/healthz' || path === '/readyz') {
    sendJsonText(res, 200, '{"status":"ok"}');
    return;
  }
  if (path === SHARING_PATH && deps.sharing !== undefined) {
    const nonce = nonceSchema.safeParse(new URLSearchParams(url.slice(path.length)).get('nonce'));
    if (nonce.success) sendJsonText(res, 200, JSON.stringify(deps.sharing(nonce.data)));
    else sendProblem(res, 400, 'nonce must be 32 hex digits', { field: 'nonce' });
    return;
  }
  if (deps.protectedResource(req, res, path)) return;
  if (SIGN_IN.test(path) && (await deps.signIn(req, res, path))) return;
  if (path.startsWith('/oauth/') && (await deps.oauth(req, res, path))) return;
  if (path.startsWith('/v0.1/') && (await deps.registryApi(req, res, path))) return;
  for (const { prefix, handle } of deps.dataPlane) {
    if (!path.startsWith(prefix)) continue;
    const identified = deps.perimeter.identify(req, res);
    const principal = identified instanceof Promise ? await identified : identified;
    if (!principal) return;
    const { subject } = principal;
    if (await deps.bodies.during(subject, req, res, () => handle(req, res, principal, path))) return;
  }
  if (await deps.console(req, res, path)) return;
  if (path.startsWith('/api/')) deps.admin(req, res);
  else sendProblem(res, 404, `there is nothing at ${path}`);
}
