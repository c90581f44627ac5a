import { html } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import { runningTurn } from '../conversation.ts';
import type { Playground, View } from '../playground.ts';
import { icon, LightElement } from './light-element.ts';

/** Where a message is written, run and stopped. */
@customElement('tg-prompt')
export class PromptBox extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) view!: View;

  override render(): TemplateResult {
    const running = runningTurn(this.view.conversation);
    const blocked = this.blocked();
    return html`<form class="composer" @submit=${this.onSubmit}>
      <label class="sr-only" for="prompt">Message</label>
      <textarea
        id="prompt"
        rows="2"
        placeholder=${this.view.conversation.turns.length === 0 ? 'Ask the agent to do something' : 'Ask a follow-up'}
        aria-describedby="prompt-hint"
        .value=${live(this.view.ui.draft)}
        @input=${this.onInput}
        @keydown=${this.onKey}
      ></textarea>
      <div class="composer-foot">
        <p class="hint" id="prompt-hint">
          ${blocked ?? html`<kbd>Enter</kbd> runs <span class="dim">·</span> <kbd>Shift</kbd>+<kbd>Enter</kbd> new line`}
        </p>
        ${
          running
            ? html`<vscode-button class="stop" ?disabled=${running.run.stopping} @click=${this.stop}
                >${icon('debug-stop')}<b class="button-label"
                  >${running.run.stopping ? 'Stopping' : 'Stop'}</b
                ></vscode-button
              >`
            : html`<vscode-button
                class="run-button"
                ?disabled=${blocked !== undefined || this.view.ui.draft.trim() === ''}
                @click=${this.run}
                >${icon('play')}<b class="button-label">Run</b></vscode-button
              >`
        }
      </div>
    </form>`;
  }

  /** Puts the cursor at the end of the message. */
  focusInput(): void {
    const input = this.querySelector('textarea');
    input?.focus();
    input?.setSelectionRange(input.value.length, input.value.length);
  }

  /** Why nothing can be run now, whatever the message. */
  private blocked(): string | undefined {
    const { host, ui } = this.playground.view;
    if (host.status !== 'running') return 'The gateway is not running.';
    if (ui.model === '') return 'Choose a model first.';
    return undefined;
  }

  private readonly run = (): void => {
    // What is on the screen may be a frame behind what was typed.
    const { ui, conversation } = this.playground.view;
    const prompt = ui.draft.trim();
    if (prompt === '' || this.blocked() !== undefined || runningTurn(conversation)) return;
    void this.playground.run(prompt);
    this.focusInput();
  };

  private readonly stop = (): void => {
    this.playground.stop();
    this.focusInput();
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
  };

  private readonly onInput = (event: Event): void => {
    this.playground.change({ draft: (event.target as HTMLTextAreaElement).value });
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.run();
    } else if (event.key === 'ArrowUp' && this.playground.view.ui.draft === '') {
      const last = this.playground.view.conversation.turns.at(-1);
      if (last) {
        event.preventDefault();
        this.playground.change({ draft: last.prompt });
      }
    }
  };
}
