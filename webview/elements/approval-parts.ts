import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { approvalState, timeLeft, whoDecides } from '../../gateway/contract/approval-text.ts';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import { icon } from './light-element.ts';

/** How a line of a unified diff is drawn; what it does stands in its first character, too. */
export function lineKind(line: string): 'added' | 'removed' | 'place' | 'same' {
  if (/^(?:\+\+\+|---) /.test(line) || line.startsWith('@@')) return 'place';
  if (line.startsWith('+')) return 'added';
  return line.startsWith('-') ? 'removed' : 'same';
}

function diffLine(line: string): TemplateResult {
  // An empty line would have no height.
  return html`<span class="diff-line ${lineKind(line)}">${line === '' ? ' ' : line}</span>`;
}

/** Who wants it, why it is asked, who may decide, and until when. */
export function approvalFacts(approval: ApprovalView, now: number): TemplateResult {
  const { subject, model, reason, destructive, status, expiresAt, decision } = approval;
  const expires = expiresAt <= now ? 'its time is over' : `expires in ${timeLeft(expiresAt - now)}`;
  return html`<div class="approval-facts">
    <p>${reason}</p>
    <p class="hint">
      Asked by ${subject}${model === null ? '' : ` with ${model}`} ·
      ${
        status === 'pending'
          ? html`decided by ${whoDecides(approval)} · ${expires}`
          : html`<b>${approvalState(approval, now)}</b>`
      }
    </p>
    ${decision?.reason === undefined ? nothing : html`<p>“${decision.reason}”</p>`}
    ${destructive ? html`<p class="approval-destroys">${icon('warning')} It may destroy something.</p>` : nothing}
  </div>`;
}

/** With which arguments, and what they would change. */
export function approvalArguments({ arguments: args, diffs }: ApprovalView): TemplateResult {
  return html`${diffs.map(
      ({ argument, text }) =>
        html`<p class="hint">The change in ${argument}</p>
          <pre class="diff" tabindex="0" aria-label=${`The change in ${argument}`}>
${text.split('\n').map(diffLine)}</pre>`,
    )}
    <p class="hint">Arguments</p>
    <pre tabindex="0" aria-label="Arguments">${JSON.stringify(args, null, 2)}</pre>`;
}
