import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import type { ModelList } from '../../gateway/contract/registry.ts';
import type { Playground } from '../playground.ts';
import { icon, LightElement } from './light-element.ts';

type Model = ModelList['data'][number];

/** A combobox of the gateway's models that also takes a name it does not list. */
@customElement('tg-model-picker')
export class ModelPicker extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) models: ModelList | undefined;
  @property({ attribute: false }) error: string | undefined;
  @property({ attribute: false }) value = '';
  @state() private open = false;
  /** What was typed since the list opened; the list is filtered by it. */
  @state() private typed = '';
  @state() private active = -1;

  override render(): TemplateResult {
    const options = this.options();
    return html`
      <label for="model">Model</label>
      <div class="combobox">
        <input
          id="model"
          class="input"
          role="combobox"
          autocomplete="off"
          spellcheck="false"
          placeholder="provider/model"
          aria-autocomplete="list"
          aria-controls="model-list"
          aria-expanded=${this.open ? 'true' : 'false'}
          aria-activedescendant=${this.open && this.active >= 0 ? `model-${String(this.active)}` : nothing}
          aria-describedby="model-help"
          .value=${live(this.value)}
          @input=${this.onInput}
          @keydown=${this.onKey}
          @click=${this.show}
          @blur=${this.hide}
        />
        ${icon('chevron-down', 'combobox-arrow')}
        <ul
          id="model-list"
          class="listbox"
          role="listbox"
          aria-label="Models"
          ?hidden=${!this.open || options.length === 0}
        >
          ${this.open ? options.map((model, index) => this.option(model, index)) : nothing}
        </ul>
      </div>
      <div id="model-help">${this.help()}</div>
    `;
  }

  private option(model: Model, index: number): TemplateResult {
    return html`<li
      id="model-${index}"
      role="option"
      class="option ${index === this.active ? 'active' : ''}"
      aria-selected=${model.id === this.value ? 'true' : 'false'}
      @mousedown=${(event: Event) => {
        event.preventDefault();
        this.choose(model.id);
      }}
    >
      <span class="option-name">${model.id}</span>
      ${model.description === undefined ? nothing : html`<span class="option-detail">${model.description}</span>`}
    </li>`;
  }

  private help(): TemplateResult {
    const listed = this.models?.data.some((model) => model.id === this.value) === true;
    return html`
      ${
        this.models && !listed && this.value !== ''
          ? html`<p class="hint">Not in the list; it is sent as typed.</p>`
          : nothing
      }
      ${
        this.error === undefined
          ? nothing
          : html`<p class="hint error-text">
              The models could not be listed: ${this.error}
              <button class="link" @click=${() => void this.playground.readModels()}>Try again</button>
            </p>`
      }
      ${this.models?.unavailable.map(
        ({ provider, reason }) =>
          html`<p class="hint">
            ${icon('warning')} <strong>${provider}</strong> could not list its models: ${reason}
          </p>`,
      )}
    `;
  }

  private options(): Model[] {
    const words = this.typed.toLowerCase();
    return this.models?.data.filter((model) => model.id.toLowerCase().includes(words)) ?? [];
  }

  private choose(id: string): void {
    this.playground.change({ model: id });
    this.hide();
  }

  private readonly show = (): void => {
    if (this.open) return;
    this.typed = '';
    this.open = true;
    this.active = this.options().findIndex((model) => model.id === this.value);
  };

  private readonly hide = (): void => {
    this.open = false;
    this.active = -1;
  };

  private readonly onInput = (event: Event): void => {
    const { value } = event.target as HTMLInputElement;
    this.open = true;
    this.typed = value;
    this.active = -1;
    this.playground.change({ model: value.trim() });
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    const options = this.options();
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!this.open) {
        this.show();
        return;
      }
      const step = event.key === 'ArrowDown' ? 1 : -1;
      this.active = (this.active + step + options.length) % Math.max(1, options.length);
      void this.updateComplete.then(() =>
        this.querySelector('.option.active')?.scrollIntoView({ block: 'nearest' }),
      );
    } else if (event.key === 'Enter' && this.open) {
      event.preventDefault();
      const option = options[this.active];
      if (option) this.choose(option.id);
      else this.hide();
    } else if (event.key === 'Escape' && this.open) {
      event.stopPropagation();
      this.hide();
    }
  };
}
