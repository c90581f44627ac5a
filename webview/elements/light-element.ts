import { html, LitElement } from 'lit';
import type { TemplateResult } from 'lit';

/**
 * An element without a shadow root, so that the one stylesheet, VS Code's own defaults, the icon font and ids for
 * ARIA reach into it.
 */
export class LightElement extends LitElement {
  protected override createRenderRoot(): this {
    return this;
  }
}

/** An icon of the codicon font. It says nothing to a screen reader: write the word beside it. */
export function icon(name: string, extra = ''): TemplateResult {
  return html`<span class="codicon codicon-${name} ${extra}" aria-hidden="true"></span>`;
}
