import type { ServerResponse } from 'node:http';
import type { Outlet } from '../mcp/streams.ts';

const KEEP_ALIVE_MS = 15_000;

/**
 * A response as the outlet of a stream of server-sent events. It starts with the first write, is kept alive with
 * comments, and tells `gone` when its client has left. One that was never written to is left alone.
 */
export function createOutlet(res: ServerResponse, gone: (outlet: Outlet) => void): Outlet {
  const start = (): void => {
    res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    const keepAlive = setInterval(() => res.write(': keep-alive\n\n'), KEEP_ALIVE_MS).unref();
    res.on('close', () => {
      clearInterval(keepAlive);
      gone(outlet);
    });
  };
  const outlet: Outlet = {
    write: (text) => {
      if (res.destroyed || res.writableEnded) return;
      if (!res.headersSent) start();
      res.write(text);
    },
    end: () => {
      if (res.headersSent && !res.writableEnded) res.end();
    },
  };
  return outlet;
}
