import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ToolCallItem, ToolCallStatus } from '../conversation.ts';
import type { Host } from '../host.ts';
import { duration, shortName } from '../words.ts';
import './elapsed-time.ts';
import { icon, LightElement } from './light-element.ts';
import './text-block.ts';

const STATUS: Record<ToolCallStatus, { readonly icon: string; readonly word: string }> = {
  arguments: { icon: 'loading codicon-modifier-spin', word: 'arguments arriving' },
  running: { icon: 'loading codicon-modifier-spin', word: 'running' },
  waiting: { icon: 'question', word: 'waits for approval' },
  ok: { icon: 'pass', word: 'ok' },
  error: { icon: 'error', word: 'error' },
  unanswered: { icon: 'circle-slash', word: 'no result' },
};

/** One tool call: who is called, with what, and what came back. */
@customElement('tg-tool-card')
export class ToolCard extends LightElement {
  @property({ attribute: false }) host!: Host;
  @property({ attribute: false }) call!: ToolCallItem;
  @state() private open = true;

  override render(): TemplateResult {
    const { call } = this;
    const status = STATUS[call.status];
    return html`<section class="card ${call.status}" aria-label="Tool call ${this.name()}: ${status.word}">
      <button class="card-head" aria-expanded=${this.open ? 'true' : 'false'} @click=${this.toggle}>
        <span class="card-status">${icon(status.icon)}</span>
        <span class="card-name" title=${call.server ?? ''}>
          ${call.server === undefined ? nothing : html`<span class="card-server">${shortName(call.server)}</span>${icon('chevron-right')}`}<span
            class="card-tool"
            >${call.tool ?? call.function}</span
          >
        </span>
        <span class="card-word">${status.word}</span>
        <span class="card-time">${this.time()}</span>
        ${icon(this.open ? 'chevron-up' : 'chevron-down', 'card-fold')}
      </button>
      ${this.open ? this.body() : nothing}
    </section>`;
  }

  private body(): TemplateResult {
    const { call } = this;
    return html`<div class="card-body">
      <tg-text-block
        class="block"
        .host=${this.host}
        .heading=${'Arguments'}
        .text=${call.arguments === '' && call.status !== 'arguments' ? '{}' : call.arguments}
        .partial=${true}
      ></tg-text-block>
      ${
        call.result === undefined
          ? nothing
          : html`<tg-text-block
              class="block"
              .host=${this.host}
              .heading=${call.status === 'error' ? 'Error' : 'Result'}
              .text=${call.result}
            ></tg-text-block>`
      }
      ${
        call.status === 'unanswered'
          ? html`<p class="muted">The run ended before this call had a result.</p>`
          : nothing
      }
    </div>`;
  }

  private time(): unknown {
    const { status, durationMs, runningSince } = this.call;
    if (durationMs !== undefined) return duration(durationMs);
    return status === 'running' || status === 'waiting'
      ? html`<tg-elapsed .since=${runningSince ?? 0}></tg-elapsed>`
      : nothing;
  }

  private name(): string {
    const { server, tool } = this.call;
    return server === undefined ? this.call.function : `${tool ?? ''} of ${shortName(server)}`;
  }

  private readonly toggle = (): void => {
    this.open = !this.open;
  };
}
