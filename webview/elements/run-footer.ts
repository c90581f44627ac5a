import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Run, Turn } from '../conversation.ts';
import type { Playground } from '../playground.ts';
import { count, duration } from '../words.ts';
import './elapsed-time.ts';
import { icon, LightElement } from './light-element.ts';

/** How a run is or ended, in numbers, and what to do when it did not end well. */
@customElement('tg-run-footer')
export class RunFooter extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) turn!: Turn;
  /** Only the newest turn can be sent again. */
  @property({ attribute: false }) last = false;

  override render(): TemplateResult {
    const { run } = this.turn;
    return html`${this.problem(run)}
      <div class="footer ${run.status}">
        <span class="footer-status">${this.status(run)}</span>
        ${run.status === 'running' ? nothing : this.numbers(run)}
      </div>`;
  }

  private status(run: Run): TemplateResult {
    switch (run.status) {
      case 'running':
        return html`${icon('loading', 'codicon-modifier-spin')} ${run.stopping ? 'Stopping' : this.phase(run)}
          <tg-elapsed .since=${this.turn.sentAt}></tg-elapsed>`;
      case 'completed':
        return html`${icon('pass')} Completed`;
      case 'iteration_limit':
        return html`${icon('warning')} Stopped at the iteration limit`;
      case 'cancelled':
        return html`${icon('circle-slash')} Cancelled`;
      case 'failed':
        return html`${icon('error')} Failed`;
    }
  }

  private phase(run: Run): string {
    if (run.runId === undefined) return 'Sending';
    const waiting = run.items.filter((item) => item.kind === 'tool' && item.status === 'waiting').length;
    if (waiting > 0)
      return waiting === 1 ? 'A call waits for approval' : `${waiting} calls wait for approval`;
    const open = run.items.filter((item) => item.kind === 'tool' && item.status === 'running').length;
    if (open > 0) return `Waiting for ${count(open, 'tool')}`;
    return run.items.at(-1)?.kind === 'text' ? 'Answering' : 'Waiting for the model';
  }

  private numbers(run: Run): TemplateResult {
    // A refused request never became a run: there is nothing to count.
    if (run.runId === undefined) return html``;
    const calls = run.toolCalls ?? run.items.filter((item) => item.kind === 'tool').length;
    const facts: [string, string, string][] = [
      ['total', duration(run.durationMs ?? 0), 'Total time, from request to end'],
    ];
    if (run.timeToFirstTokenMs !== undefined) {
      facts.push(['first token', duration(run.timeToFirstTokenMs), 'Time to first token']);
    }
    if (run.usage) {
      const { prompt_tokens: input, completion_tokens: output } = run.usage;
      facts.push(['tokens in', input.toLocaleString('en'), 'Tokens sent to the model, over all iterations']);
      facts.push(['tokens out', output.toLocaleString('en'), 'Tokens the model answered with']);
    }
    return html`<dl class="numbers">
      ${facts.map(
        ([term, value, title]) =>
          html`<div title=${title}>
            <dt>${term}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
      <div>
        <dt>${run.iteration === 1 ? 'iteration' : 'iterations'}</dt>
        <dd>${run.iteration}</dd>
      </div>
      <div>
        <dt>${calls === 1 ? 'tool call' : 'tool calls'}</dt>
        <dd>${calls}</dd>
      </div>
    </dl>`;
  }

  private problem(run: Run): TemplateResult | typeof nothing {
    const again = this.last
      ? html`<vscode-button appearance="secondary" @click=${() => void this.playground.retry()}
          >Try again</vscode-button
        >`
      : nothing;
    switch (run.status) {
      case 'failed':
        return html`<div class="notice error" role="alert">
          ${icon('error')}
          <p>${run.error ?? 'The run failed, and the gateway gave no reason. Read its log.'}</p>
          ${again}
        </div>`;
      case 'iteration_limit':
        return html`<div class="notice warning">
          ${icon('warning')}
          <p>${limitWords(run.iteration)}</p>
        </div>`;
      default:
        return nothing;
    }
  }
}

function limitWords(iterations: number): string {
  return `The model wanted to go on after ${count(iterations, 'iteration')}. Raise the iteration limit and write “continue”.`;
}
