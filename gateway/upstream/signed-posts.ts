import { setTimeout as sleep } from 'node:timers/promises';
import { sign, SIGNATURE_HEADER } from '../credentials/signature.ts';
import type { createFetchAnswer } from './fetch-json.ts';

/** Tries after a failure, and how long before each. */
const PAUSES_MS = [500, 2_000, 10_000];
/** How long a gateway that stops waits for the answers to what it has sent. */
const LAST_ANSWERS_MS = 2_000;
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
  /** Sends without waiting. Of a message that is lost `onLost` hears once, also of one that `close` gave up. */
  send(webhook: Webhook, message: object, onLost: (error: unknown) => void): void;
  /** Gives up what is still to be tried again, and waits some seconds at most for what has been sent. */
  close(): Promise<void>;
}

export function createSignedPosts(deps: {
  readonly resolve: (text: string) => string;
  readonly fetchAnswer: ReturnType<typeof createFetchAnswer>;
  readonly now: () => number;
}): SignedPosts {
  const closing = new AbortController();
  const deliveries = new Set<Promise<void>>();
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
    for (const pause of [...PAUSES_MS, undefined]) {
      try {
        await post(webhook, body);
        return;
      } catch (error) {
        if (pause === undefined || closing.signal.aborted) throw error;
        await sleep(pause, undefined, { signal: closing.signal, ref: false }).catch(() => {
          throw error;
        });
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
      const delivery = deliver(webhook, JSON.stringify(message))
        .catch(onLost)
        .finally(() => {
          count(webhook.name, -1);
          deliveries.delete(delivery);
        });
      deliveries.add(delivery);
    },
    close: async () => {
      closing.abort();
      const late = new AbortController();
      await Promise.race([
        Promise.all(deliveries),
        sleep(LAST_ANSWERS_MS, undefined, { signal: late.signal }),
      ]).finally(() => late.abort());
    },
  };
}
