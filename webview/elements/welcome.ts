import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { examples } from '../examples.ts';
import type { Example } from '../examples.ts';
import type { Playground, View } from '../playground.ts';
import { tick } from '../selection.ts';
import { icon, LightElement } from './light-element.ts';

/** What the timeline shows before the first message: what is missing, or how to begin. */
@customElement('tg-welcome')
export class Welcome extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) view!: View;
  /** The provider that the browser is on its way to. */
  @state() private leavingFor: string | undefined;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('view') as View | undefined;
    // Whatever the host says meanwhile is that it did not come to that.
    if (before !== undefined && before.host !== this.view.host) this.leavingFor = undefined;
  }

  override render(): TemplateResult {
    const { status, error } = this.view.host;
    const editor = this.playground.host.kind === 'editor';
    switch (status) {
      case 'unauthenticated':
        return this.signIn(error);
      case 'starting':
        return html`<div class="welcome">
          <vscode-progress-ring aria-label="Connecting"></vscode-progress-ring>
          <p class="muted">${editor ? 'The gateway is starting.' : 'Connecting to the gateway.'}</p>
        </div>`;
      case 'stopped':
      case 'failed':
        return html`<div class="welcome">
          ${icon(status === 'failed' ? 'error' : 'debug-disconnect', 'welcome-icon')}
          <h2>${status === 'failed' ? 'The gateway cannot run' : 'The gateway is not running'}</h2>
          <p role="status">${error ?? 'Start it to choose a model, tick tools and run the agent.'}</p>
          ${editor ? this.startButtons() : nothing}
        </div>`;
      case 'running':
        return this.begin();
    }
  }

  private startButtons(): TemplateResult {
    const { host } = this.playground;
    return html`<div class="buttons">
      <vscode-button
        @click=${() => {
          host.command('start');
        }}
        >Start the gateway</vscode-button
      >
      <vscode-button
        appearance="secondary"
        @click=${() => {
          host.command('showLog');
        }}
        >Show log</vscode-button
      >
    </div>`;
  }

  private signIn(error: string | undefined): TemplateResult {
    const issuers = this.view.host.signIn?.issuers ?? [];
    return html`<div class="welcome sign-in">
      ${icon('key', 'welcome-icon')}
      <h2>Sign in to Toolgate</h2>
      ${
        this.view.host.approval === undefined
          ? nothing
          : html`<p class="muted">to see the call that waits for approval</p>`
      }
      ${error === undefined ? nothing : html`<p class="notice error" role="alert">${icon('error')} <span>${error}</span></p>`}
      ${
        issuers.length === 0
          ? this.aboutLinks()
          : html`<ul class="issuers" aria-label="Ways to sign in">
              ${issuers.map(
                ({ name }) =>
                  html`<li>
                    <vscode-button
                      ?disabled=${this.leavingFor !== undefined}
                      @click=${() => {
                        this.leavingFor = name;
                        this.playground.host.signIn({ issuer: name });
                      }}
                      >${this.leavingFor === name ? `Going to ${name}…` : `Sign in with ${name}`}</vscode-button
                    >
                  </li>`,
              )}
            </ul>`
      }
      <details class="other-ways" ?open=${issuers.length === 0}>
        <summary>${issuers.length === 0 ? 'Or with a token' : 'Other ways to sign in'}</summary>
        ${issuers.length === 0 ? nothing : this.aboutLinks()}
        <form class="token-form" @submit=${this.onSignIn}>
          <label for="token">Token</label>
          <input
            id="token"
            name="token"
            class="input"
            type="password"
            autocomplete="off"
            spellcheck="false"
            required
            placeholder="tg_pat_…"
          />
          <vscode-button appearance="secondary" type="submit" @click=${this.onSignIn}>Sign in</vscode-button>
          <p class="hint">The page does not keep it: the browser gets a cookie that ends by itself.</p>
        </form>
      </details>
    </div>`;
  }

  private aboutLinks(): TemplateResult {
    return html`<p class="about-links">
      On the gateway’s machine, <code>toolgate console</code> prints a link that signs you in, once. A gateway
      that runs in a terminal prints one when it starts, and another whenever you press Enter there.
    </p>`;
  }

  private begin(): TemplateResult {
    const { registry } = this.view;
    const chips = registry ? examples(registry) : [];
    const servers = registry?.groups.flatMap((group) => group.servers) ?? [];
    return html`<div class="welcome">
      ${icon('sparkle', 'welcome-icon')}
      <h2>Try an agent on your tools</h2>
      <p>${this.advice(registry !== undefined && servers.length === 0)}</p>
      ${
        chips.length === 0
          ? nothing
          : html`<ul class="chips" aria-label="Example prompts">
              ${chips.map(
                (example) =>
                  html`<li>
                    <button
                      class="chip"
                      @click=${() => {
                        this.take(example);
                      }}
                    >
                      <span class="chip-prompt">${example.prompt}</span>
                      ${example.server ? html`<span class="chip-server">${icon('server')} ${example.server.name}</span>` : nothing}
                    </button>
                  </li>`,
              )}
            </ul>`
      }
    </div>`;
  }

  private advice(noServers: boolean): string {
    return noServers
      ? 'There are no servers to call yet, so this is a plain chat with the model.'
      : 'Tick the tools the model may use, write what it should do, and watch every step. Without tools it is a plain chat.';
  }

  private take({ prompt, server }: Example): void {
    const { selection } = this.playground.view.ui;
    this.playground.change({
      draft: prompt,
      ...(server && { selection: tick(selection, [{ server, tools: 'all' }], true) }),
    });
    this.dispatchEvent(new CustomEvent('prompt-taken', { bubbles: true }));
  }

  private readonly onSignIn = (event: Event): void => {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>('#token');
    if (input?.reportValidity() === true) this.playground.host.signIn({ token: input.value });
  };
}
