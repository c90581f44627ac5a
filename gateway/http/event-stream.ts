import type { ServerResponse } from 'node:http';
import type { Outlet } from '../mcp/streams.ts';

const KEEP_ALIVE_MS = 15_000;
/** A client that has left this many bytes unread is cut off when there is more for it. */
const MAX_UNREAD = 64 * 1024 * 1024;

/** Begins a stream of server-sent events: sends the headers and, until the response closes, a comment every 15 s. */
export function beginEventStream(res: ServerResponse, headers: Record<string, string> = {}): void {
  res.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    ...headers,
  });
  res.flushHeaders();
  const beat = setInterval(() => {
    if (!res.writableNeedDrain && !res.writableEnded) res.write(': keep-alive\n\n');
  }, KEEP_ALIVE_MS).unref();
  res.once('close', () => clearInterval(beat));
}

/**
 * A response as the outlet of a stream of server-sent events. It starts with the first write, and tells `gone` when
 * its client has left. One that was never written to is left alone.
 */
export function createOutlet(res: ServerResponse, gone: (outlet: Outlet) => void = () => undefined): Outlet {
  const outlet: Outlet = {
    write: (text) => {
      if (res.destroyed || res.writableEnded) return;
      if (!res.headersSent) {
        beginEventStream(res);
        res.on('close', () => gone(outlet));
      }
      if (res.writableLength > MAX_UNREAD) res.destroy();
      else res.write(text);
    },
    end: () => {
      if (res.headersSent && !res.writableEnded) res.end();
    },
  };
  return outlet;
}
