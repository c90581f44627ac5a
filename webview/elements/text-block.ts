import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Host } from '../host.ts';
import { isJsonText, jsonPieces, prettyJson } from '../json-text.ts';
import { size } from '../words.ts';
import './copy-button.ts';
import { LightElement } from './light-element.ts';

const PREVIEW = { characters: 2_000, lines: 16 } as const;
/** More than this in one element makes a browser slow, even when asked to show all. */
const SHOWN_LIMIT = 300_000;
const COLOUR_LIMIT = 20_000;

/** A text that may be JSON and may be long: indented, coloured, cut until asked for, copied whole. */
@customElement('tg-text-block')
export class TextBlock extends LightElement {
  @property({ attribute: false }) host!: Host;
  @property({ attribute: false }) heading = '';
  @property({ attribute: false }) text = '';
  /** The text is JSON whose end may not have come yet. */
  @property({ attribute: false }) partial = false;
  @state() private all = false;
  private source: string | undefined;
  private pretty = '';
  private json = false;

  protected override willUpdate(): void {
    if (this.source === this.text) return;
    this.source = this.text;
    this.json = this.partial || isJsonText(this.text);
    const start = this.text.slice(0, SHOWN_LIMIT);
    this.pretty = this.json ? prettyJson(start) : start;
  }

  override render(): TemplateResult {
    const preview = this.preview();
    const cut = preview.length < this.pretty.length;
    const shown = this.all ? this.pretty : preview;
    return html`
      <div class="block-head">
        <span class="block-title">${this.heading}</span>
        <span class="block-size">${cut ? size(this.text.length) : nothing}</span>
        <tg-copy-button
          .host=${this.host}
          .text=${this.text}
          .what=${this.heading.toLowerCase()}
        ></tg-copy-button>
      </div>
      ${
        this.text === ''
          ? html`<p class="muted">Empty</p>`
          : html`<pre class="block-text ${this.all ? 'all' : ''}" tabindex="0" aria-label=${this.heading}>
${this.colour(shown)}</pre>`
      }
      ${cut ? this.more() : nothing}
    `;
  }

  private more(): TemplateResult {
    const rest = this.all && this.text.length > SHOWN_LIMIT;
    return html`<div class="block-more">
      <button class="link" aria-expanded=${this.all ? 'true' : 'false'} @click=${this.toggle}>
        ${this.all ? 'Show less' : 'Show all'}
      </button>
      ${
        rest
          ? html`<span class="muted">The first ${size(SHOWN_LIMIT)}; copying gives all of it.</span>`
          : nothing
      }
    </div>`;
  }

  private readonly toggle = (): void => {
    this.all = !this.all;
  };

  private preview(): string {
    const start = this.pretty.slice(0, PREVIEW.characters);
    const lines = start.split('\n', PREVIEW.lines + 1);
    return lines.length > PREVIEW.lines ? lines.slice(0, PREVIEW.lines).join('\n') : start;
  }

  private colour(text: string): unknown {
    if (!this.json || text.length > COLOUR_LIMIT) return text;
    return jsonPieces(text).map((piece) =>
      piece.kind === 'plain' ? piece.text : html`<span class="json-${piece.kind}">${piece.text}</span>`,
    );
  }
}
