import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import { grantScope, grantText, grantUses } from '../../gateway/contract/approval-text.ts';
import type { ApprovalGrant } from '../../gateway/contract/approvals.ts';
import type { Playground } from '../playground.ts';
import { count, shortName } from '../words.ts';
import { icon, LightElement } from './light-element.ts';

/** What begins to stand, is used or ends is shown within this time. */
const LOOK_EVERY_MS = 3_000;

/**
 * The standing approvals that the user may take back. Nothing is shown while there is none, but where the user took
 * the last one back and is still there.
 */
@customElement('tg-grants')
export class GrantList extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) running!: boolean;
  @state() private grants: readonly ApprovalGrant[] = [];
  /** Which is asked about, by its id. */
  @state() private asking: string | undefined;
  @state() private problem: { readonly id: string; readonly words: string } | undefined;
  /** What the user did last, or saw end; and what a screen reader is told. */
  @state() private last = '';
  @state() private told = '';
  private busy = false;
  private readonly revoked = new Set<string>();
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

  override render(): TemplateResult {
    return html`${this.grants.length === 0 && this.last === '' ? nothing : this.section()}
      <p class="sr-only" role="status">${this.told}</p>`;
  }

  private section(): TemplateResult {
    const { grants, last } = this;
    return html`<section class="field approvals" aria-labelledby="grants-heading">
      <h2 id="grants-heading" tabindex="-1">
        Standing approvals
        ${grants.length === 0 ? nothing : html`<span class="count">${grants.length}</span>`}
      </h2>
      <ul>
        ${repeat(
          grants,
          ({ id }) => id,
          (one) => this.row(one),
        )}
      </ul>
      ${last === '' ? nothing : html`<p class="hint">${last}</p>`}
    </section>`;
  }

  private row(grant: ApprovalGrant): TemplateResult {
    const { id, tool, server, subject, by } = grant;
    const now = Date.now();
    const asking = this.asking === id;
    return html`<li class="credential" data-grant=${id}>
      <div class="credential-line">
        ${icon('unlock', 'ok')}
        <span class="row-name" title=${grantText(grant, now)}>${tool} · ${shortName(server)}</span>
        ${
          asking
            ? nothing
            : html`<button
                class="link"
                aria-label=${`Revoke: ${tool} for ${subject}`}
                @click=${() => void this.ask(id)}
              >
                Revoke
              </button>`
        }
      </div>
      <p class="hint">For ${subject}, by ${by} · ${grantScope(grant, now)} · ${grantUses(grant)}</p>
      ${asking ? this.confirm(grant) : nothing}
      ${
        this.problem?.id === id
          ? html`<p class="notice error" role="alert">${icon('error')} <span>${this.problem.words}</span></p>`
          : nothing
      }
    </li>`;
  }

  private confirm(grant: ApprovalGrant): TemplateResult {
    const question = 'Revoke it? Its calls are asked about again.';
    const leave = (): void => void this.leave(grant.id);
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') leave();
    };
    return html`<div class="credential-buttons" role="group" aria-label=${question} @keydown=${onKey}>
      <span>${question}</span>
      <vscode-button @click=${() => void this.revoke(grant)}>Revoke</vscode-button>
      <vscode-button appearance="secondary" @click=${leave}>Keep</vscode-button>
    </div>`;
  }

  private async ask(id: string): Promise<void> {
    this.asking = id;
    this.problem = undefined;
    await this.updateComplete;
    this.rowOf(id)?.querySelector<HTMLElement>('vscode-button')?.focus();
  }

  private async leave(id: string): Promise<void> {
    this.asking = undefined;
    await this.updateComplete;
    this.rowOf(id)?.querySelector('button')?.focus();
  }

  private async revoke({ id, tool, subject }: ApprovalGrant): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const outcome = await this.playground.revoke(id);
    this.busy = false;
    if ('problem' in outcome) {
      this.problem = { id, words: outcome.problem };
      await this.leave(id);
      return;
    }
    const what = `${tool} for ${subject}`;
    const gone = `${what} did not stand any more: it ended, or somebody else revoked it.`;
    this.revoked.add(id);
    const left = this.grants.filter((one) => one.id !== id);
    await this.show(left, outcome.gone ? gone : `${what} was revoked.`);
  }

  private async read(): Promise<void> {
    if (document.visibilityState !== 'visible') return;
    if (!this.running) {
      this.grants = [];
      this.last = '';
      return;
    }
    const read = await this.playground.grants();
    // What cannot be read just now stays as it was; an answer may be older than what was done here.
    if (read !== undefined) await this.show(read.filter(({ id }) => !this.revoked.has(id)));
  }

  /** `words` say what the user has done. The focus goes to the next row where that with the focus is gone. */
  private async show(grants: readonly ApprovalGrant[], words?: string): Promise<void> {
    const before = this.grants;
    const held = before.findIndex(({ id }) => this.rowOf(id)?.contains(document.activeElement) === true);
    const lost = held >= 0 && !grants.some(({ id }) => id === before[held]?.id);
    this.grants = grants;
    const left = grants.length === 0 ? 'None is left.' : `${count(grants.length, 'standing approval')}.`;
    if (words !== undefined) this.last = words;
    else if (lost && grants.length === 0) this.last = left;
    else if (grants.length > before.length) this.last = '';
    if (words !== undefined || grants.length !== before.length)
      this.told = [words ?? '', left].join(' ').trim();
    if (!lost) return;
    this.asking = undefined;
    await this.updateComplete;
    const next = grants[Math.min(held, grants.length - 1)];
    (this.rowOf(next?.id)?.querySelector('button') ?? this.querySelector('h2'))?.focus();
  }

  private rowOf(id: string | undefined): HTMLElement | undefined {
    return [...this.querySelectorAll('li')].find((row) => row.dataset['grant'] === id);
  }
}
