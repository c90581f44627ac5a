import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SseEvent {
  readonly id?: number;
  readonly name?: string | undefined;
  readonly data: string;
}

/** A server-sent event stream over one response. */
export interface SseStream {
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** Writes an event, and waits while the client is behind. False once the client is gone. */
  send(event: SseEvent): Promise<boolean>;
  end(): void;
}

const KEEP_ALIVE_MS = 15_000;
/** A client that takes nothing for this long is cut off. */
const STALL_MS = 60_000;

/** Begins the stream: sends the headers and, while nothing else is sent, a comment every 15 s. */
export function openSse(res: ServerResponse, headers: Record<string, string> = {}): SseStream {
  const gone = new AbortController();
  const beat = setInterval(() => {
    if (!res.writableNeedDrain) res.write(': keep-alive\n\n');
  }, KEEP_ALIVE_MS);
  res.once('close', () => {
    clearInterval(beat);
    gone.abort();
  });
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    ...headers,
  });
  res.flushHeaders();
  return {
    signal: gone.signal,
    async send(event) {
      if (gone.signal.aborted) return false;
      if (!res.write(format(event))) await drained(res, gone.signal);
      return !gone.signal.aborted;
    },
    end() {
      clearInterval(beat);
      res.end();
    },
  };
}

function format({ id, name, data }: SseEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${name === undefined ? '' : `event: ${name}\n`}`;
  return `${head}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`;
}

async function drained(res: ServerResponse, gone: AbortSignal): Promise<void> {
  const settled = new AbortController();
  const signal = AbortSignal.any([gone, settled.signal]);
  const stalled = sleep(STALL_MS, true, { signal, ref: false });
  try {
    const late = await Promise.race([once(res, 'drain', { signal }).then(() => false), stalled]);
    if (late) res.destroy();
  } catch {
    // The client is gone: the caller sees it in the signal.
  } finally {
    stalled.catch(() => undefined);
    settled.abort();
  }
}
