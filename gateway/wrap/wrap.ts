import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendJsonText, sendProblem } from '../http/respond.ts';
import { startReaper } from '../upstream/reaper.ts';
import { connectStdio } from '../upstream/stdio.ts';
import { createModernRoutes } from './modern-routes.ts';
import type { WrapOptions, WrapParts } from './parts.ts';
import { startWrapped } from './process.ts';
import { createSseRoutes } from './sse-routes.ts';
import { createStatelessRoutes } from './stateless.ts';
import { createStreamRoutes } from './stream-routes.ts';

export interface Wrap {
  readonly address: string;
  /** Lets what is in flight end, for `drainMs` at most; then ends every session and every process. */
  close(): Promise<void>;
}

const MESSAGES = '/messages';

/** Serves a stdio server over HTTP. Rejects when the port is taken. */
export async function startWrap(options: WrapOptions): Promise<Wrap> {
  const { launch, log } = options;
  const reaper = startReaper();
  const onStderr = (line: string): void => log.info({ line }, 'stderr');
  let closing = false;
  const parts: WrapParts = {
    options,
    start: ({ onMessage }) => startWrapped({ launch, reaper, onMessage, onStderr }),
    closing: () => closing,
    now: Date.now,
  };
  const modern = createModernRoutes(parts);
  const stream = options.stateless
    ? createStatelessRoutes(options, modern, ({ onLost }, signal) =>
        connectStdio({
          launch,
          reaper,
          signal,
          client: { version: options.version, capabilities: {} },
          approach: { protocol: 'auto', memory: { shyAt: undefined } },
          events: {
            onLost,
            onStderr,
            onWarning: (words) => log.warn(words),
            onNotification: () => undefined,
            onRenewed: () => undefined,
          },
        }),
      )
    : createStreamRoutes(parts, modern);
  const sse = createSseRoutes(parts, MESSAGES);

  const route = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', 'http://local');
    if (!admit(req, res, options.host, port)) return;
    if (url.pathname === '/ping')
      return void res.writeHead(200, { 'content-type': 'text/plain' }).end('pong');
    if (url.pathname === '/healthz') {
      sendJsonText(res, 200, '{"status":"ok"}');
      return;
    }
    if (!holds(req, options.apiKey)) {
      sendProblem(res, 401, 'send the API key: X-API-Key, or Authorization: Bearer');
      return;
    }
    if (url.pathname === options.streamPath) return stream.handle(req, res);
    if (options.ssePath !== undefined) {
      if (url.pathname === options.ssePath && req.method === 'GET') {
        sse.open(req, res);
        return;
      }
      if (url.pathname === MESSAGES && req.method === 'POST')
        return sse.post(req, res, url.searchParams.get('sessionId'));
    }
    sendProblem(res, 404, `there is nothing at ${url.pathname}; served: ${served(options).join(', ')}`);
  };
  const http = createServer((req, res) => {
    route(req, res).catch((error: unknown) => {
      log.error({ err: error }, 'a request failed');
      if (res.headersSent) res.destroy();
      else sendProblem(res, 500, 'the wrapper failed to answer; its log says why');
    });
  });
  http.keepAliveTimeout = 75_000;
  let port = 0;
  try {
    port = await listen(http, options);
  } catch (error) {
    reaper.close();
    throw error;
  }
  return {
    address: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    close: async () => {
      closing = true;
      http.close();
      for (
        const end = Date.now() + options.drainMs;
        stream.inFlight() + modern.inFlight() > 0 && Date.now() < end;
      )
        await sleep(20);
      await Promise.all([stream.close(), modern.close(), sse.close()]);
      http.closeAllConnections();
      reaper.close();
    },
  };
}

/** The addresses that are served, as paths. */
export function served({ streamPath, ssePath }: Pick<WrapOptions, 'streamPath' | 'ssePath'>): string[] {
  return [streamPath, ssePath].filter((path) => path !== undefined);
}

/** Whether nobody but this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Where only this machine is served, only its names are: a web page that had its own name point here gets nothing.
 * Elsewhere the name is the deployment's. Of other web origins nothing is taken, wherever it is served.
 */
function admit(req: IncomingMessage, res: ServerResponse, host: string, port: number): boolean {
  const { host: named, origin } = req.headers;
  const names = ['127.0.0.1', 'localhost', '[::1]', host].map((name) => `${name}:${port}`);
  if (isLoopback(host) && (named === undefined || !names.includes(named))) {
    sendProblem(res, 403, `this server is not served as "${named ?? ''}"; use ${names[0]}`, { rule: 'host' });
    return false;
  }
  if (origin !== undefined && origin !== `http://${named}` && origin !== `https://${named}`) {
    sendProblem(res, 403, 'requests of other web origins are refused', { rule: 'origin' });
    return false;
  }
  return true;
}

function holds({ headers }: IncomingMessage, apiKey: string | undefined): boolean {
  if (apiKey === undefined) return true;
  const shown = headers['x-api-key'] ?? headers.authorization?.replace(/^bearer /i, '');
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return typeof shown === 'string' && timingSafeEqual(digest(shown), digest(apiKey));
}

/** Resolves with the port that is listened on. */
function listen(http: Server, { host, port }: WrapOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve((http.address() as AddressInfo).port);
    });
  });
}
