import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import { ITERATION_LIMIT } from '../../gateway/contract/agent.ts';
import type { Playground, View } from '../playground.ts';
import { icon, LightElement } from './light-element.ts';
import './approval-list.ts';
import './credential-list.ts';
import './grant-list.ts';
import './limit-list.ts';
import './model-picker.ts';
import './tool-tree.ts';

/** What the next run is made of: model, limits, system prompt and tools. */
@customElement('tg-setup')
export class SetupPanel extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) view!: View;

  override render(): TemplateResult {
    const { ui, models, modelsError } = this.view;
    return html`
      <section class="field">
        <tg-model-picker
          .playground=${this.playground}
          .models=${models}
          .error=${modelsError}
          .value=${ui.model}
        ></tg-model-picker>
      </section>
      <section class="field">
        <label for="iterations">Iteration limit</label>
        <input
          id="iterations"
          class="input narrow"
          type="number"
          min=${ITERATION_LIMIT.min}
          max=${ITERATION_LIMIT.max}
          aria-describedby="iterations-help"
          .value=${live(String(ui.iterationLimit))}
          @change=${this.onLimit}
        />
        <p class="hint" id="iterations-help">
          The most times the model is asked in one run, ${ITERATION_LIMIT.min} to ${ITERATION_LIMIT.max}.
        </p>
      </section>
      <section class="field">
        <vscode-text-area
          rows="2"
          resize="vertical"
          placeholder="None"
          .value=${live(ui.systemPrompt)}
          @input=${this.onSystemPrompt}
          >System prompt</vscode-text-area
        >
      </section>
      <tg-approvals
        .playground=${this.playground}
        .running=${this.view.host.status === 'running'}
      ></tg-approvals>
      <tg-grants .playground=${this.playground} .running=${this.view.host.status === 'running'}></tg-grants>
      <tg-limits .playground=${this.playground} .running=${this.view.host.status === 'running'}></tg-limits>
      ${this.credentials()} ${this.tools()}
    `;
  }

  private credentials(): TemplateResult | typeof nothing {
    const { credentials = [] } = this.view;
    if (credentials.length === 0) return nothing;
    return html`<tg-credentials .playground=${this.playground} .credentials=${credentials}></tg-credentials>`;
  }

  private tools(): TemplateResult | typeof nothing {
    const { registry, registryError } = this.view;
    const problem =
      registryError === undefined
        ? nothing
        : html`<p class="notice error" role="alert">
            ${icon('error')} <span>The servers could not be listed: ${registryError}</span>
          </p>`;
    if (!registry) return html`${problem}`;
    if (registry.groups.every((group) => group.servers.length === 0)) {
      return html`${problem}
        <section class="field">
          <h2>Tools</h2>
          <p class="muted">
            There are no servers yet, or none that you may use. Add one under <code>groups</code> in
            <code>toolgate.yaml</code> and restart the gateway.
          </p>
          ${
            this.playground.host.kind === 'editor'
              ? html`<vscode-button appearance="secondary" @click=${this.openConfig}
                  >Open toolgate.yaml</vscode-button
                >`
              : nothing
          }
        </section>`;
    }
    return html`${problem}
      <tg-tool-tree .playground=${this.playground} .registry=${registry} .ui=${this.view.ui}></tg-tool-tree>`;
  }

  private readonly openConfig = (): void => {
    this.playground.host.command('openConfig');
  };

  private readonly onLimit = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    const number = Math.round(Number(input.value));
    const limit = Number.isFinite(number) ? number : ITERATION_LIMIT.default;
    const iterationLimit = Math.min(ITERATION_LIMIT.max, Math.max(ITERATION_LIMIT.min, limit));
    input.value = String(iterationLimit);
    this.playground.change({ iterationLimit });
  };

  private readonly onSystemPrompt = (event: Event): void => {
    this.playground.change({ systemPrompt: (event.target as HTMLTextAreaElement).value });
  };
}
