import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import type { Playground } from '../playground.ts';
import { shortName } from '../words.ts';
import { approvalActions, approvalDetails } from './approval-card.ts';
import { icon, LightElement } from './light-element.ts';

/** What begins to wait is shown within this time. */
const LOOK_EVERY_MS = 3_000;

/** The calls that wait for the user's word. Nothing is shown while none does. */
@customElement('tg-approvals')
export class ApprovalList extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) running!: boolean;
  @state() private approvals: readonly ApprovalView[] = [];
  @state() private problem: string | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => void this.read(), LOOK_EVERY_MS);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    super.disconnectedCallback();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has('running')) void this.read();
  }

  override render(): TemplateResult | typeof nothing {
    if (this.approvals.length === 0) return nothing;
    return html`<section class="field approvals" aria-labelledby="approvals-heading">
      <h2 id="approvals-heading">
        Approvals <span class="count" role="status">${this.approvals.length} waiting</span>
      </h2>
      <ul>
        ${repeat(
          this.approvals,
          ({ id }) => id,
          (one) => this.row(one),
        )}
      </ul>
      ${
        this.problem === undefined
          ? nothing
          : html`<p class="notice error" role="alert">${icon('error')} <span>${this.problem}</span></p>`
      }
    </section>`;
  }

  private row(approval: ApprovalView): TemplateResult {
    const { id, tool, server, subject } = approval;
    return html`<li class="credential">
      <div class="credential-line">
        ${icon('question')} <span class="row-name" title=${server}>${tool} · ${shortName(server)}</span>
      </div>
      <p class="hint">${subject}</p>
      ${approvalDetails(approval)} ${approvalActions(approval, (verdict) => void this.decide(id, verdict))}
    </li>`;
  }

  private async read(): Promise<void> {
    if (document.visibilityState !== 'visible') return;
    this.approvals = !this.running ? [] : await this.playground.approvals();
  }

  private async decide(id: string, verdict: 'approve' | 'deny'): Promise<void> {
    this.problem = await this.playground.decide(id, verdict);
    await this.read();
  }
}
