import { html } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { snippet, SNIPPET_LANGUAGES } from '../../gateway/contract/snippets.ts';
import type { SnippetLanguage } from '../../gateway/contract/snippets.ts';
import { requestBody } from '../playground.ts';
import type { Playground, View } from '../playground.ts';
import './copy-button.ts';
import { LightElement } from './light-element.ts';

const NAMES: Record<SnippetLanguage, string> = {
  python: 'Python',
  javascript: 'JavaScript',
  curl: 'cURL',
};

/** The current request as a program: what the Run button would send, from anywhere. */
@customElement('tg-snippet')
export class SnippetDialog extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) view!: View;
  @state() private open = false;

  /** Shows the dialog; Escape and Close give the focus back to where it was. */
  async show(): Promise<void> {
    this.open = true;
    await this.updateComplete;
    this.querySelector('dialog')?.showModal();
  }

  override render(): TemplateResult {
    return html`<dialog
      class="dialog"
      aria-labelledby="snippet-heading"
      @close=${this.onClose}
      @click=${this.onBackdrop}
    >
      ${this.open ? this.content() : ''}
    </dialog>`;
  }

  private content(): TemplateResult {
    const language = this.view.ui.snippetLanguage;
    const code = this.code(language);
    return html`<div class="dialog-body">
      <div class="dialog-head">
        <h2 id="snippet-heading">API code snippet</h2>
        <vscode-button appearance="icon" aria-label="Close" title="Close" @click=${this.close}
          ><span class="codicon codicon-close" aria-hidden="true"></span
        ></vscode-button>
      </div>
      <p class="muted">
        This request from your own code. Set <code>TOOLGATE_TOKEN</code> to a token of yours;
        <code>toolgate token create</code> makes one.
      </p>
      <div class="tabs" role="tablist" aria-label="Language" @keydown=${this.onKey}>
        ${SNIPPET_LANGUAGES.map(
          (name) =>
            html`<button
              id="snippet-tab-${name}"
              class="tab"
              role="tab"
              aria-selected=${name === language ? 'true' : 'false'}
              aria-controls="snippet-code"
              tabindex=${name === language ? 0 : -1}
              @click=${() => {
                this.choose(name);
              }}
            >
              ${NAMES[name]}
            </button>`,
        )}
        <tg-copy-button
          .host=${this.playground.host}
          .text=${code}
          .what=${`${NAMES[language]} snippet`}
          .wide=${true}
        ></tg-copy-button>
      </div>
      <pre
        id="snippet-code"
        class="snippet"
        role="tabpanel"
        tabindex="0"
        aria-labelledby="snippet-tab-${language}"
      >
${code}</pre>
    </div>`;
  }

  private code(language: SnippetLanguage): string {
    const { ui, host, conversation } = this.view;
    const draft = ui.draft.trim();
    const prompt = draft === '' ? (conversation.turns.at(-1)?.prompt ?? 'Hello') : draft;
    return snippet(language, {
      address: host.address ?? 'http://127.0.0.1:8665',
      body: requestBody(this.view, prompt),
    });
  }

  private choose(snippetLanguage: SnippetLanguage): void {
    this.playground.change({ snippetLanguage });
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const place = SNIPPET_LANGUAGES.indexOf(this.playground.view.ui.snippetLanguage) + step;
    const next = SNIPPET_LANGUAGES.at(place % SNIPPET_LANGUAGES.length) ?? 'python';
    this.choose(next);
    this.querySelector<HTMLElement>(`#snippet-tab-${next}`)?.focus();
  };

  private readonly close = (): void => {
    this.querySelector('dialog')?.close();
  };

  private readonly onClose = (): void => {
    this.open = false;
  };

  private readonly onBackdrop = (event: Event): void => {
    if (event.target === event.currentTarget) this.close();
  };
}
