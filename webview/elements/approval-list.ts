import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { ApprovalView } from '../../gateway/contract/approvals.ts';
import type { Playground } from '../playground.ts';
import { shortName } from '../words.ts';
import './approval-actions.ts';
import type { ApprovalChanged } from './approval-actions.ts';
import { approvalArguments, approvalFacts } from './approval-parts.ts';
import { icon, LightElement } from './light-element.ts';

/** What begins to wait is shown within this time. */
const LOOK_EVERY_MS = 3_000;
/** What was decided here stays in its place for so long: nothing moves under the pointer. */
const STAYS_MS = 8_000;

/** The calls that wait for the user's word, and their own. Nothing is shown while there is none. */
@customElement('tg-approvals')
export class ApprovalList extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) running!: boolean;
  @state() private approvals: readonly ApprovalView[] = [];
  @state() private long: ReadonlyMap<string, ApprovalView> = new Map();
  private readonly decided = new Map<string, { readonly approval: ApprovalView; readonly at: number }>();
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
    const mine = this.approvals.filter(({ mayDecide }) => mayDecide).length;
    return html`<section class="field approvals" aria-labelledby="approvals-heading">
      <h2 id="approvals-heading">
        Approvals
        <span class="count" role="status">${mine === 0 ? 'none waits for you' : `${mine} waiting`}</span>
      </h2>
      <ul>
        ${repeat(
          this.approvals,
          ({ id }) => id,
          (one) => this.row(one),
        )}
      </ul>
    </section>`;
  }

  private row(approval: ApprovalView): TemplateResult {
    const { tool, server, status } = approval;
    const sign = { pending: 'question', approved: 'pass', spent: 'pass' } as const;
    return html`<li class="credential">
      <div class="credential-line">
        ${icon(status in sign ? sign[status as keyof typeof sign] : 'circle-slash', status === 'pending' ? '' : 'ok')}
        <span class="row-name" title=${server}>${tool} · ${shortName(server)}</span>
      </div>
      ${approvalFacts(approval, Date.now())}
      ${
        approval.whole || this.long.has(approval.id)
          ? html`<details class="approval-details" ?open=${!approval.whole}>
              <summary>What would be called</summary>
              ${approvalArguments(this.long.get(approval.id) ?? approval)}
            </details>`
          : html`<button class="link" @click=${() => void this.readWhole(approval.id)}>
              What would be called
            </button>`
      }
      <tg-approval-actions
        .playground=${this.playground}
        .approval=${approval}
        @approval-changed=${this.onChanged}
      ></tg-approval-actions>
    </li>`;
  }

  /** Reads one that is too long for the list; it is shown where it stands. */
  private async readWhole(id: string): Promise<void> {
    const { approval } = await this.playground.approval(id);
    if (approval !== undefined) this.long = new Map(this.long).set(id, approval);
  }

  private readonly onChanged = ({ detail }: ApprovalChanged): void => {
    this.decided.set(detail.id, { approval: detail, at: Date.now() });
    this.approvals = this.approvals.map((one) => (one.id === detail.id ? detail : one));
  };

  private async read(): Promise<void> {
    if (document.visibilityState !== 'visible') return;
    const waiting = !this.running ? [] : await this.playground.approvals();
    for (const [id, { at }] of this.decided) if (Date.now() - at > STAYS_MS) this.decided.delete(id);
    // What is there keeps its place; what is new comes below it, what waits for the user first.
    const now = new Map(waiting.map((one) => [one.id, one]));
    const kept = this.approvals.flatMap(({ id }) => this.decided.get(id)?.approval ?? now.get(id) ?? []);
    const fresh = waiting.filter(({ id }) => !kept.some((one) => one.id === id));
    this.approvals = [...kept, ...fresh.toSorted((a, b) => Number(b.mayDecide) - Number(a.mayDecide))];
  }
}
