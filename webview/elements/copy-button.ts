import { html } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Host } from '../host.ts';
import { thrownWords } from '../words.ts';
import { icon, LightElement } from './light-element.ts';

const CONFIRM_MS = 1_500;

/** Copies a text and says for a moment that it did, or why it could not. */
@customElement('tg-copy-button')
export class CopyButton extends LightElement {
  @property({ attribute: false }) host!: Host;
  @property({ attribute: false }) text = '';
  /** What is copied, for the label: `result`, `snippet`. */
  @property({ attribute: false }) what = 'text';
  /** Shows the word beside the icon. */
  @property({ attribute: false }) wide = false;
  @state() private outcome: 'none' | 'copied' | 'failed' = 'none';
  private reason = '';

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('text')) this.outcome = 'none';
  }

  override render(): TemplateResult {
    const label = { none: `Copy ${this.what}`, copied: 'Copied', failed: this.reason }[this.outcome];
    const name = { none: 'copy', copied: 'check', failed: 'error' }[this.outcome];
    return html`<vscode-button
      appearance=${this.wide ? 'secondary' : 'icon'}
      title=${label}
      aria-label=${label}
      @click=${this.copy}
      >${icon(name)}${this.wide ? html`<b class="button-label">${this.outcome === 'copied' ? 'Copied' : 'Copy'}</b>` : ''}
    </vscode-button>`;
  }

  private readonly copy = async (): Promise<void> => {
    try {
      await this.host.copy(this.text);
      this.outcome = 'copied';
    } catch (error) {
      this.reason = thrownWords(error);
      this.outcome = 'failed';
    }
    setTimeout(() => {
      this.outcome = 'none';
    }, CONFIRM_MS);
  };
}
