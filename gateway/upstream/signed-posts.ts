import { setTimeout as sleep } from 'node:timers/promises';
import { sign, SIGNATURE_HEADER } from '../credentials/signature.ts';
import type { createFetchAnswer } from './fetch-json.ts';

/** Tries after a failure, and how long before each. */
const PAUSES_MS = [500, 2_000, 10_000];
/** Messages under way to one webhook at once; beyond them new ones are lost. */
const MAX_UNDER_WAY = 100;

/** Where messages go. */
export interface Webhook {
  readonly name: string;
  readonly url: string;
  /** What both sides sign with: a reference. */
  readonly secret: string;
  readonly allowPrivateAddress: boolean;
}

/** Messages to programs that want to be told: a signed POST of JSON each, tried again for some seconds. */
export interface SignedPosts {
  /** Sends without waiting. Of a message that is lost, `onLost` hears once; after `close` it hears nothing. */
  send(webhook: Webhook, message: object, onLost: (error: unknown) => void): void;
  /** Gives up what is still to be tried again. */
  close(): void;
}

export function createSignedPosts(deps: {
  readonly resolve: (text: string) => string;
  readonly fetchAnswer: ReturnType<typeof createFetchAnswer>;
  readonly now: () => number;
}): SignedPosts {
  const closing = new AbortController();
  /** By the webhook's name. */
  const underWay = new Map<string, number>();
  const count = (name: string, change: 1 | -1): void => {
    underWay.set(name, (underWay.get(name) ?? 0) + change);
  };
  const post = async ({ url, secret, allowPrivateAddress }: Webhook, body: string): Promise<void> => {
    const headers = {
      'content-type': 'application/json',
      [SIGNATURE_HEADER]: sign(deps.resolve(secret), body, deps.now()),
    };
    const { status } = await deps.fetchAnswer(url, { method: 'POST', headers, body }, allowPrivateAddress);
    if (status < 200 || status > 299) throw new Error(`it answered HTTP ${status}`);
  };
  const deliver = async (webhook: Webhook, body: string): Promise<void> => {
    for (const pause of [0, ...PAUSES_MS]) {
      if (pause > 0) await sleep(pause, undefined, { signal: closing.signal, ref: false });
      try {
        await post(webhook, body);
        return;
      } catch (error) {
        if (pause === PAUSES_MS.at(-1)) throw error;
      }
    }
  };
  return {
    send: (webhook, message, onLost) => {
      if ((underWay.get(webhook.name) ?? 0) >= MAX_UNDER_WAY) {
        onLost(new Error(`${MAX_UNDER_WAY} messages are under way`));
        return;
      }
      count(webhook.name, 1);
      deliver(webhook, JSON.stringify(message))
        .catch((error: unknown) => {
          if (!closing.signal.aborted) onLost(error);
        })
        .finally(() => count(webhook.name, -1));
    },
    close: () => closing.abort(),
  };
}
