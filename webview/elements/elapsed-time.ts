import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { duration } from '../words.ts';
import { LightElement } from './light-element.ts';

const TICK_MS = 200;
/** Shorter waits are over before a number could be read. */
const SHOW_AFTER_MS = 400;

/** The time since a moment, counting while it is on the page. */
@customElement('tg-elapsed')
export class ElapsedTime extends LightElement {
  /** Milliseconds since the epoch. */
  @property({ attribute: false }) since = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => {
      this.requestUpdate();
    }, TICK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  override render(): TemplateResult | typeof nothing {
    const elapsed = Date.now() - this.since;
    return elapsed < SHOW_AFTER_MS ? nothing : html`<span aria-hidden="true">${duration(elapsed)}</span>`;
  }
}
