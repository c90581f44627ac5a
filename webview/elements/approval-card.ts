import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import type { ApprovalItem } from '../conversation.ts';
import type { Playground } from '../playground.ts';
import { shortName } from '../words.ts';
import './approval-actions.ts';
import type { ApprovalChanged } from './approval-actions.ts';
import { approvalArguments, approvalFacts } from './approval-parts.ts';
import { icon, LightElement } from './light-element.ts';

/** How often it is said anew when the approval expires. */
const TICK_MS = 5_000;

/** A call of the run that waits for somebody's word, with the way to give it, where the user may. */
@customElement('tg-approval')
export class ApprovalCard extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) item!: ApprovalItem;
  @state() private approval: ApprovalView | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.item.status !== 'waiting') return;
    void this.read();
    this.timer = setInterval(() => {
      this.requestUpdate();
    }, TICK_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    super.disconnectedCallback();
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
    const whom = approvers.length === 0 ? 'administrators and who manages the group' : approvers.join(', ');
    return html`<div class="notice warning approval">
      ${icon('question')}
      <div class="approval-body">
        <p role="status">${what} waits for approval${this.approval === undefined ? ` by ${whom}` : ''}.</p>
        ${this.approval === undefined ? nothing : this.details(this.approval)}
      </div>
    </div>`;
  }

  private details(approval: ApprovalView): TemplateResult {
    return html`${approvalFacts(approval, Date.now())}
      <details class="approval-details" ?open=${approval.diffs.length > 0}>
        <summary>What would be called</summary>
        ${approvalArguments(approval)}
      </details>
      <tg-approval-actions
        .playground=${this.playground}
        .approval=${approval}
        @approval-changed=${this.onChanged}
      ></tg-approval-actions>`;
  }

  private readonly onChanged = ({ detail }: ApprovalChanged): void => {
    this.approval = detail;
  };

  private async read(): Promise<void> {
    this.approval = (await this.playground.approval(this.item.id)).approval;
  }
}
