import type { ApprovalScope, ApprovalView } from './approvals.ts';

/** What an approval is about, on one line. */
export function approvalTitle({ subject, tool, server }: ApprovalView): string {
  return `${subject} wants to run ${tool} on ${server}`;
}

/** How it stands: `waits, 12 min left` or `approved by user:carol`. */
export function approvalState({ status, decision, expiresAt }: ApprovalView, now: number): string {
  if (status === 'pending') return `waits, ${Math.max(1, Math.round((expiresAt - now) / 60_000))} min left`;
  const by = decision === null ? '' : ` by ${decision.person ?? decision.by}`;
  return `${status === 'spent' ? 'approved and called' : status}${by}`;
}

/** All of it, to be read before deciding. */
export function approvalText(approval: ApprovalView, now: number): string {
  const { id, reason, rule, approvers, model, source, url, decision } = approval;
  const lines = [
    approvalTitle(approval),
    '',
    `Why:       ${reason} (${rule})`,
    `Asked by:  ${[source, model].filter((one) => one !== null).join(', ')}`,
    `Approvers: ${approvers.length === 0 ? 'who manages the group' : approvers.join(', ')}`,
    `State:     ${approvalState(approval, now)}`,
    ...(decision?.reason === undefined ? [] : [`Reason:    ${decision.reason}`]),
    `Id:        ${id}`,
    `Address:   ${url}`,
    '',
    'Arguments:',
    JSON.stringify(approval.arguments, null, 2),
  ];
  for (const { argument, text } of approval.diffs) lines.push('', `The change in ${argument}:`, text);
  return lines.join('\n');
}

/** `session`, `15m` or `2h`, as a scope; undefined when it is none. */
export function scopeOf(text: string): ApprovalScope | undefined {
  if (text === 'once' || text === 'session') return text;
  const [, amount, unit] = /^(\d+)(m|h)$/.exec(text) ?? [];
  const minutes = Number(amount) * (unit === 'h' ? 60 : 1);
  return amount !== undefined && minutes >= 1 && minutes <= 480 ? { minutes } : undefined;
}
