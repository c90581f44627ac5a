import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import type { ApprovalItem } from '../conversation.ts';
import type { Playground } from '../playground.ts';
import { shortName } from '../words.ts';
import { icon, LightElement } from './light-element.ts';

/** A call of the run that waits for somebody's word, with the way to give it, where the user may. */
@customElement('tg-approval')
export class ApprovalCard extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) item!: ApprovalItem;
  @state() private approval: ApprovalView | undefined;
  @state() private problem: string | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.item.status === 'waiting') void this.read();
  }

  override render(): TemplateResult {
    const { tool, server, status, by, reason, approvers } = this.item;
    const what = html`<b>${tool}</b> of ${shortName(server)}`;
    if (status === 'approved')
      return html`<p class="notice">
        ${icon('pass')} <span>${what} was approved by ${by ?? 'somebody'}.</span>
      </p>`;
    if (status !== 'waiting') {
      const words = status === 'denied' ? `denied by ${by ?? 'somebody'}` : status;
      return html`<p class="notice">
        ${icon('circle-slash')} <span>${what} was ${words}${reason === undefined ? '' : `: ${reason}`}.</span>
      </p>`;
    }
    const whom = approvers.length === 0 ? 'who manages it' : approvers.join(', ');
    return html`<div class="notice warning approval" role="status">
      ${icon('question')} <span>${what} waits for approval by ${whom}.</span>
      ${approvalDetails(this.approval)}
      ${
        this.approval === undefined
          ? nothing
          : approvalActions(this.approval, (verdict) => void this.decide(verdict))
      }
      ${this.problem === undefined ? nothing : html`<span role="alert">${this.problem}</span>`}
    </div>`;
  }

  private async read(): Promise<void> {
    this.approval = await this.playground.approval(this.item.id);
  }

  private async decide(verdict: 'approve' | 'deny'): Promise<void> {
    this.problem = await this.playground.decide(this.item.id, verdict);
    await this.read();
  }
}

/** Why it is asked, with which arguments, and what it would change. */
export function approvalDetails(approval: ApprovalView | undefined): TemplateResult | typeof nothing {
  if (approval === undefined) return nothing;
  const { reason, diffs } = approval;
  return html`<details class="approval-details">
    <summary>${reason}</summary>
    ${diffs.map(
      ({ argument, text }) =>
        html`<p class="hint">${argument}</p>
          <pre class="diff">${text}</pre>`,
    )}
    <p class="hint">Arguments</p>
    <pre>${JSON.stringify(approval.arguments, null, 2)}</pre>
  </details>`;
}

/** The buttons; in their place, why the user may not decide. */
export function approvalActions(
  { mayDecide, whyNot, tool, subject }: ApprovalView,
  decide: (verdict: 'approve' | 'deny') => void,
): TemplateResult {
  if (!mayDecide) return html`<span class="hint">${whyNot ?? ''}</span>`;
  return html`<span class="approval-actions">
    <vscode-button aria-label=${`Approve: ${tool} for ${subject}`} @click=${() => decide('approve')}
      >Approve</vscode-button
    >
    <vscode-button
      appearance="secondary"
      aria-label=${`Deny: ${tool} for ${subject}`}
      @click=${() => decide('deny')}
      >Deny</vscode-button
    >
  </span>`;
}
