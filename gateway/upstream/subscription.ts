import type { JsonObject } from '../contract/json.ts';
import type { Connection } from './connection.ts';
import { JsonRpcError } from './errors.ts';

/** Takes what a subscription brings. */
export interface Subscriber {
  readonly onNotification: (method: string, params: JsonObject) => void;
  /** The subscription is open; `again` after a break, in which something may have been missed. */
  readonly onOpened: (again: boolean) => void;
}

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const METHOD_NOT_FOUND = -32601;
const PAUSE_MS = { first: 1_000, most: 60_000 } as const;
/** The pauses start over after a subscription that lasted this long. */
const STEADY_MS = 30_000;

/**
 * Keeps a `subscriptions/listen` of a modern server open until the signal aborts (MCP 2026-07-28, Subscriptions):
 * opened again with growing pauses when it ends. Resolves then, or when the server offers none.
 */
export async function subscribe(
  request: Connection['request'],
  notifications: JsonObject,
  subscriber: Subscriber,
  signal: AbortSignal,
): Promise<void> {
  let pause: number = PAUSE_MS.first;
  let before = false;
  const onNotification = (method: string, params: JsonObject): void => {
    if (method !== ACKNOWLEDGED) return subscriber.onNotification(method, params);
    subscriber.onOpened(before);
    before = true;
  };
  while (!signal.aborted) {
    const began = Date.now();
    try {
      await request('subscriptions/listen', { notifications }, { signal, related: { onNotification } });
    } catch (error) {
      if (error instanceof JsonRpcError && error.code === METHOD_NOT_FOUND) return;
    }
    if (Date.now() - began > STEADY_MS) pause = PAUSE_MS.first;
    const jittered = pause * (0.8 + Math.random() * 0.4);
    pause = Math.min(pause * 2, PAUSE_MS.most);
    await pauseFor(jittered, signal);
  }
}

/** Ends early when the signal aborts. */
function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
