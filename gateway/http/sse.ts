import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { beginEventStream } from './event-stream.ts';

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

/** A client that takes nothing for this long is cut off. */
const STALL_MS = 60_000;

/** Begins the stream, with a comment every 15 s. */
export function openSse(res: ServerResponse, headers: Record<string, string> = {}): SseStream {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  beginEventStream(res, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
  return {
    signal: gone.signal,
    async send(event) {
      if (gone.signal.aborted) return false;
      if (!res.write(format(event))) await drained(res, gone.signal);
      return !gone.signal.aborted;
    },
    end() {
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
