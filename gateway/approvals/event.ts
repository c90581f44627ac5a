import type { ApprovalWebhook } from '../config/policies/approvals.ts';
import {
  approvalUrl,
  type ApprovalDecision,
  type ApprovalView,
  type ApprovalWebhookEvent,
} from '../contract/approvals.ts';
import type { ApprovalRecord, KeptDecision } from '../storage/contracts.ts';

/** What of a record is for eyes. */
export function shownOf(
  record: ApprovalRecord,
  url: string,
  lasts: ApprovalView['lasts'],
): Omit<ApprovalView, 'mayDecide' | 'whyNot'> {
  const { serverId: _serverId, group: _group, session: _session, ...shown } = record.content;
  const { binding: _binding, family: _family, content: _content, decision, ...facts } = record;
  return { ...facts, ...shown, lasts, url, whole: true, decision: decision && shownDecision(decision) };
}

/** What a webhook is told of a record, by a gateway at `base`. */
export function webhookEvent(
  record: ApprovalRecord,
  { name, as }: ApprovalWebhook,
  base: string,
  lasts: ApprovalView['lasts'],
): ApprovalWebhookEvent {
  return {
    type: record.status === 'pending' ? 'approval.requested' : 'approval.resolved',
    approval: shownOf(record, approvalUrl(base, record.id), lasts),
    decideUrl: as === undefined ? null : `${base}/api/v1/approvals/webhooks/${name}`,
  };
}

function shownDecision({
  administrator: _administrator,
  teams: _teams,
  ...shown
}: KeptDecision): ApprovalDecision {
  return shown;
}
