import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import type { Playground } from '../playground.ts';
import './approval-actions.ts';
import type { ApprovalChanged } from './approval-actions.ts';
import { approvalArguments, approvalFacts } from './approval-parts.ts';
import { icon, LightElement } from './light-element.ts';

/** While it waits for a word or for its call, it is read again this often. */
const LOOK_EVERY_MS = 2_000;

/** The approval that the address of the page asks for, whole, to be decided; or what became of it. */
@customElement('tg-approval-dialog')
export class ApprovalDialog extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) approvalId!: string;
  @state() private approval: ApprovalView | undefined;
  @state() private problem: string | undefined;
  private dismissed = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => {
      const status = this.approval?.status;
      if (status === 'pending' || status === 'approved') void this.read();
    }, LOOK_EVERY_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    super.disconnectedCallback();
  }

  override updated(changed: PropertyValues<this>): void {
    if (!changed.has('approvalId')) return;
    this.approval = undefined;
    this.problem = undefined;
    this.dismissed = false;
    const dialog = this.querySelector('dialog');
    if (dialog?.open === false) dialog.showModal();
    void this.read();
  }

  override render(): TemplateResult {
    return html`<dialog
      class="dialog"
      aria-labelledby="approval-heading"
      @cancel=${this.close}
      @close=${this.close}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id="approval-heading">${this.heading()}</h2>
          <vscode-button appearance="icon" aria-label="Close" title="Close" @click=${this.close}
            >${icon('close')}</vscode-button
          >
        </div>
        ${this.approval === undefined ? this.absent() : this.whole(this.approval)}
      </div>
    </dialog>`;
  }

  private heading(): TemplateResult | string {
    if (this.approval === undefined) return 'Approval';
    const { tool, server } = this.approval;
    return html`Run <code>${tool}</code> on ${server}?`;
  }

  private absent(): TemplateResult {
    if (this.problem === undefined) return html`<p class="muted" role="status">Looking it up.</p>`;
    const who = this.playground.view.host.signIn?.signedIn?.subject;
    return html`<p class="notice warning" role="alert">
      ${icon('warning')}
      <span>${this.problem}${who === undefined ? '' : ` You are signed in as ${who}.`}</span>
    </p>`;
  }

  private whole(approval: ApprovalView): TemplateResult {
    return html`<div role="status">${approvalFacts(approval, Date.now())}</div>
      <div class="approval-details dialog-scroll">${approvalArguments(approval)}</div>
      <tg-approval-actions
        .playground=${this.playground}
        .approval=${approval}
        @approval-changed=${this.onChanged}
      ></tg-approval-actions>
      ${
        approval.status === 'pending'
          ? nothing
          : html`<div class="approval-actions">
              <vscode-button @click=${this.close}>Close</vscode-button>
            </div>`
      }`;
  }

  private readonly onChanged = ({ detail }: ApprovalChanged): void => {
    this.approval = detail;
  };

  /** Once, and at once: `close` is told of a frame later, when the address may have brought the next one. */
  private readonly close = (): void => {
    if (this.dismissed) return;
    this.dismissed = true;
    this.querySelector('dialog')?.close();
    this.playground.host.dismissApproval();
  };

  private async read(): Promise<void> {
    const id = this.approvalId;
    const { approval, problem } = await this.playground.approval(id);
    if (id !== this.approvalId) return;
    if (approval !== undefined) this.approval = approval;
    this.problem = problem;
  }
}
