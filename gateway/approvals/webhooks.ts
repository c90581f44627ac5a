import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalWebhook } from '../config/policies/approvals.ts';
import type { ApprovalWebhookEvent } from '../contract/approvals.ts';
import { sign, SIGNATURE_HEADER } from '../credentials/signature.ts';
import type { ApprovalRecord } from '../storage/contracts.ts';
import type { createFetchAnswer } from '../upstream/fetch-json.ts';
import type { ApprovalDesk } from './desk.ts';

/** Tries after a failure, and how long before each. */
const PAUSES_MS = [500, 2_000, 10_000];
/** Messages under way to one webhook at once; beyond them new ones are dropped and logged. */
const MAX_UNDER_WAY = 100;

/**
 * Tells the configured programs of each request and of what became of it: a signed POST each, tried again for some
 * seconds. What is lost is still at its address.
 */
export function startApprovalWebhooks(deps: {
  readonly desk: ApprovalDesk;
  readonly webhooks: () => readonly ApprovalWebhook[];
  readonly resolve: (text: string) => string;
  readonly fetchAnswer: ReturnType<typeof createFetchAnswer>;
  readonly eventOf: (record: ApprovalRecord, webhook: ApprovalWebhook) => ApprovalWebhookEvent;
  readonly now: () => number;
  readonly onFailed: (webhook: string, id: string, error: unknown) => void;
}): { close(): void } {
  const closing = new AbortController();
  const underWay = new Map<string, number>();
  const count = (name: string, change: 1 | -1): void => {
    underWay.set(name, (underWay.get(name) ?? 0) + change);
  };
  const post = async (record: ApprovalRecord, webhook: ApprovalWebhook): Promise<void> => {
    const body = JSON.stringify(deps.eventOf(record, webhook));
    const headers = {
      'content-type': 'application/json',
      [SIGNATURE_HEADER]: sign(deps.resolve(webhook.secret), body, deps.now()),
    };
    const { status } = await deps.fetchAnswer(
      webhook.url,
      { method: 'POST', headers, body },
      webhook.allowPrivateAddress,
    );
    if (status < 200 || status > 299) throw new Error(`it answered HTTP ${status}`);
  };
  const tell = async (record: ApprovalRecord, webhook: ApprovalWebhook): Promise<void> => {
    for (const pause of [0, ...PAUSES_MS]) {
      if (pause > 0) await sleep(pause, undefined, { signal: closing.signal, ref: false });
      try {
        await post(record, webhook);
        return;
      } catch (error) {
        if (pause === PAUSES_MS.at(-1)) throw error;
      }
    }
  };
  const stop = deps.desk.onChange((record) => {
    if (record === undefined) return;
    for (const webhook of deps.webhooks()) {
      if ((underWay.get(webhook.name) ?? 0) >= MAX_UNDER_WAY) {
        deps.onFailed(webhook.name, record.id, new Error(`${MAX_UNDER_WAY} messages are under way`));
        continue;
      }
      count(webhook.name, 1);
      tell(record, webhook)
        .catch((error: unknown) => {
          if (!closing.signal.aborted) deps.onFailed(webhook.name, record.id, error);
        })
        .finally(() => count(webhook.name, -1));
    }
  });
  return {
    close: () => {
      stop();
      closing.abort();
    },
  };
}
