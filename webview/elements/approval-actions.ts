import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { ApprovalScope, ApprovalView } from '../../gateway/contract/approvals.ts';
import type { Playground } from '../playground.ts';
import { icon, LightElement } from './light-element.ts';

/** Of the event that tells that the approval stands otherwise now. */
export type ApprovalChanged = CustomEvent<ApprovalView>;

/** The buttons that decide an approval, with for how long and why; in their place, why the user may not. */
@customElement('tg-approval-actions')
export class ApprovalActions extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) approval!: ApprovalView;
  @state() private denying = false;
  @state() private busy = false;
  @state() private problem: string | undefined;
  private chosen = 'once';

  /** What was chosen may be over by now; nothing else is approved in its place unseen. */
  override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('approval');
    const { status } = this.approval;
    if (before === undefined || status !== 'pending' || this.chosen in scopesOf(this.approval)) return;
    this.chosen = 'once';
    this.problem = `The ${before.lasts ?? 'session'} is over by now, so that nothing can stand for it. Approve this call, or the tool for a while.`;
  }

  override render(): TemplateResult {
    return html`${this.buttons()}
    ${
      this.problem === undefined
        ? nothing
        : html`<p class="notice error" role="alert">${icon('error')} <span>${this.problem}</span></p>`
    }`;
  }

  private buttons(): TemplateResult | typeof nothing {
    const { mayDecide, whyNot, status, tool, subject } = this.approval;
    if (status !== 'pending') return nothing;
    if (!mayDecide) return html`<p class="hint">You cannot decide it: ${whyNot ?? ''}</p>`;
    if (this.denying) return this.reason();
    return html`<div class="approval-actions">
      <vscode-button
        ?disabled=${this.busy}
        aria-label=${`Approve: ${tool} for ${subject}`}
        @click=${this.approve}
        >Approve</vscode-button
      >
      <select class="input" aria-label="For how long" ?disabled=${this.busy} @change=${this.choose}>
        ${repeat(
          Object.entries(scopesOf(this.approval)),
          ([value]) => value,
          ([value, { words }]) =>
            html`<option value=${value} .selected=${value === this.chosen}>${words}</option>`,
        )}
      </select>
      <vscode-button
        appearance="secondary"
        ?disabled=${this.busy}
        aria-label=${`Deny: ${tool} for ${subject}`}
        @click=${this.ask}
        >Deny</vscode-button
      >
    </div>`;
  }

  private reason(): TemplateResult {
    return html`<form class="approval-actions" @submit=${this.deny} @keydown=${this.onKey}>
      <label class="approval-reason"
        >Why? The caller and its model are told.
        <input
          class="input"
          name="reason"
          maxlength="1000"
          autocomplete="off"
          placeholder="May be left empty"
        />
      </label>
      <vscode-button ?disabled=${this.busy} @click=${this.submitOwn}>Deny</vscode-button>
      <vscode-button appearance="secondary" @click=${this.leave}>Cancel</vscode-button>
    </form>`;
  }

  private readonly choose = (event: Event): void => {
    this.chosen = (event.target as HTMLSelectElement).value;
  };

  private readonly ask = async (): Promise<void> => {
    this.denying = true;
    await this.updateComplete;
    this.querySelector('input')?.focus();
  };

  private readonly leave = async (): Promise<void> => {
    this.denying = false;
    await this.updateComplete;
    this.querySelector<HTMLElement>('vscode-button[appearance=secondary]')?.focus();
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    // It closes the field, not the dialog around it.
    event.preventDefault();
    event.stopPropagation();
    void this.leave();
  };

  /** The toolkit's button submits no form by itself. */
  private readonly submitOwn = (event: Event): void => {
    (event.target as HTMLElement).closest('form')?.requestSubmit();
  };

  private readonly approve = (): void => {
    const scope = scopesOf(this.approval)[this.chosen]?.scope ?? 'once';
    void this.decide('approve', { scope });
  };

  private readonly deny = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement).get('reason');
    const reason = typeof given === 'string' ? given.trim() : '';
    void this.decide('deny', reason === '' ? {} : { reason });
  };

  private async decide(verdict: 'approve' | 'deny', body: object): Promise<void> {
    this.busy = true;
    const { approval, problem } = await this.playground.decide(this.approval.id, verdict, body);
    this.busy = false;
    this.problem = problem;
    if (approval === undefined) return;
    this.denying = false;
    this.approval = approval;
    this.dispatchEvent(new CustomEvent('approval-changed', { detail: approval }));
  }
}

function scopesOf({ lasts }: ApprovalView): Record<string, { words: string; scope: ApprovalScope }> {
  return {
    once: { words: 'this call', scope: 'once' },
    ...(lasts !== null && { session: { words: `the tool, for this ${lasts}`, scope: 'session' } }),
    m15: { words: 'the tool, for 15 minutes', scope: { minutes: 15 } },
    h1: { words: 'the tool, for 1 hour', scope: { minutes: 60 } },
  };
}
