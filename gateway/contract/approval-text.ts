import type { ApprovalGrant, ApprovalScope, ApprovalView } from './approvals.ts';

/** What an approval is about, on one line. */
export function approvalTitle({ subject, tool, server }: ApprovalView): string {
  return `${subject} wants to run ${tool} on ${server}`;
}

/** Who may decide, in words. */
export function whoDecides({ approvers, fourEyes }: Pick<ApprovalView, 'approvers' | 'fourEyes'>): string {
  const names = approvers.length === 0 ? 'administrators and who manages the group' : approvers.join(', ');
  return fourEyes ? `${names}; never the caller` : names;
}

/** How it stands: `waits, 12 min left` or `approved by user:carol`. */
export function approvalState({ status, decision, expiresAt }: ApprovalView, now: number): string {
  if (status === 'pending') return `waits, ${timeLeft(expiresAt - now)} left`;
  const by = decision === null ? '' : ` by ${decision.person ?? decision.by}`;
  return status === 'spent' ? `approved${by}, and called` : `${status}${by}`;
}

/** `12 min`, or seconds in the last two minutes. */
export function timeLeft(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** All of it, to be read before deciding. */
export function approvalText(approval: ApprovalView, now: number): string {
  const { id, reason, rule, model, source, url, decision } = approval;
  const lines = [
    approvalTitle(approval),
    '',
    `Why:       ${reason} (${rule})`,
    ...(approval.destructive ? ['Mind:      the tool may destroy something'] : []),
    `Asked by:  ${[source, model].filter((one) => one !== null).join(', ')}`,
    `Approvers: ${whoDecides(approval)}`,
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

/** What a standing approval lets through, on one line. */
export function grantTitle({ tool, server, subject }: ApprovalGrant): string {
  return `${tool} on ${server} for ${subject}`;
}

/** For how long it stands: `until its run ends`, or `12 min left`. */
export function grantScope({ lasts, expiresAt }: ApprovalGrant, now: number): string {
  return lasts === null ? `${timeLeft(expiresAt - now)} left` : `until its ${lasts} ends`;
}

/** `not used yet`, `used once`, `used 3 times`. */
export function grantUses({ uses }: ApprovalGrant): string {
  if (uses === 0) return 'not used yet';
  return uses === 1 ? 'used once' : `used ${uses} times`;
}

/** All that is known of a standing approval. */
export function grantText(grant: ApprovalGrant, now: number): string {
  const { lasts, session, by, createdAt, expiresAt, id } = grant;
  const latest = lasts === null ? '' : `, at the latest in ${timeLeft(expiresAt - now)}`;
  return [
    grantTitle(grant),
    `Passes whatever its arguments, ${grantScope(grant, now)}${latest}`,
    `Approved by ${by} ${timeLeft(now - createdAt)} ago, ${grantUses(grant)}`,
    ...(lasts === null ? [] : [`Its ${lasts}: ${session ?? ''}`]),
    `Id: ${id}`,
  ].join('\n');
}

/** `session`, `15m` or `2h`, as a scope; undefined when it is none. */
export function scopeOf(text: string): ApprovalScope | undefined {
  if (text === 'once' || text === 'session') return text;
  const [, amount, unit] = /^(\d+)(m|h)$/.exec(text) ?? [];
  const minutes = Number(amount) * (unit === 'h' ? 60 : 1);
  return amount !== undefined && minutes >= 1 && minutes <= 480 ? { minutes } : undefined;
}
