import type { ApprovalWebhook } from '../config/policies/approvals.ts';
import type { ApprovalWebhookEvent } from '../contract/approvals.ts';
import type { ApprovalRecord } from '../storage/contracts.ts';
import type { SignedPosts } from '../upstream/signed-posts.ts';
import type { ApprovalDesk } from './desk.ts';

/**
 * Tells the configured programs of each request and of what became of it. What is lost is still at its address. Returns
 * the way to stop it.
 */
export function startApprovalWebhooks(deps: {
  readonly desk: ApprovalDesk;
  readonly webhooks: () => readonly ApprovalWebhook[];
  readonly posts: SignedPosts;
  readonly eventOf: (record: ApprovalRecord, webhook: ApprovalWebhook) => ApprovalWebhookEvent;
  readonly onFailed: (webhook: string, id: string, error: unknown) => void;
}): () => void {
  return deps.desk.onChange((record) => {
    if (record === undefined) return;
    for (const webhook of deps.webhooks())
      deps.posts.send(webhook, deps.eventOf(record, webhook), (error) =>
        deps.onFailed(webhook.name, record.id, error),
      );
  });
}
