import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { announcement } from '../announcement.ts';
import type { Playground, View } from '../playground.ts';
import { countTicked } from '../selection.ts';
import { count } from '../words.ts';
import { icon, LightElement } from './light-element.ts';
import { PromptBox } from './prompt-box.ts';
import './approval-dialog.ts';
import './run-timeline.ts';
import './setup-panel.ts';
import { SnippetDialog } from './snippet-dialog.ts';
import './welcome.ts';

/** Below this width the setup covers the timeline instead of standing beside it; the stylesheet has it too. */
const NARROW = '(max-width: 760px)';

const STATUS_WORDS: Record<View['host']['status'], string> = {
  running: 'connected',
  starting: 'connecting',
  stopped: 'not connected',
  failed: 'not connected',
  unauthenticated: 'signed out',
};

/** The whole page. */
@customElement('tg-playground')
export class PlaygroundPage extends LightElement {
  playground!: Playground;
  @state() private view!: View;
  private readonly narrow = window.matchMedia(NARROW);
  /** Where the setup would cover the timeline it is open only when asked for, and closed by a run. */
  @state() private coverOpen = false;

  override connectedCallback(): void {
    this.view = this.playground.view;
    super.connectedCallback();
    this.narrow.addEventListener('change', () => {
      this.requestUpdate();
    });
    this.playground.start(() => {
      this.view = this.playground.view;
    });
  }

  /** One rendering a frame, however fast a run streams. */
  protected override async scheduleUpdate(): Promise<void> {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    await super.scheduleUpdate();
  }

  override render(): TemplateResult {
    const { view, playground } = this;
    const { status } = view.host;
    const usable = status === 'running' || (view.registry !== undefined && status !== 'unauthenticated');
    const open = usable && (this.narrow.matches ? this.coverOpen : view.ui.setupOpen);
    return html`
      ${playground.host.kind === 'console' ? this.header() : nothing}
      <div class="layout ${open ? 'setup-open' : ''}">
        ${usable ? this.toolbar(open) : nothing}
        <aside id="setup" class="setup" aria-label="Setup" ?hidden=${!open}>
          <tg-setup .playground=${playground} .view=${view}></tg-setup>
        </aside>
        <main class="main" @prompt-taken=${this.focusPrompt}>
          ${this.linkWaits()} ${this.disconnected()}
          ${
            view.conversation.turns.length === 0
              ? html`<tg-welcome .playground=${playground} .view=${view}></tg-welcome>`
              : html`<tg-timeline
                  tabindex="0"
                  role="region"
                  aria-label="Conversation"
                  .playground=${playground}
                  .conversation=${view.conversation}
                ></tg-timeline>`
          }
          ${usable ? html`<tg-prompt .playground=${playground} .view=${view}></tg-prompt>` : nothing}
        </main>
      </div>
      ${
        view.host.approval !== undefined && status === 'running'
          ? html`<tg-approval-dialog
              .playground=${playground}
              .approvalId=${view.host.approval}
            ></tg-approval-dialog>`
          : nothing
      }
      <tg-snippet .playground=${playground} .view=${view}></tg-snippet>
      <div class="sr-only" aria-live="polite">${announcement(view.conversation)}</div>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    const before = changed.get('view') as View | undefined;
    if (before?.host.status !== 'running' && this.view.host.status === 'running') this.focusPrompt();
  }

  private header(): TemplateResult {
    const { status, address } = this.view.host;
    return html`<header class="header">
      <h1>
        <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
          <path d="M2 14V6a6 6 0 0 1 12 0v8h-3V6a3 3 0 0 0-6 0v8z" />
          <circle cx="8" cy="11" r="1.6" /></svg
        >Toolgate
      </h1>
      <code class="address">${address ?? ''}</code>
      <span class="row-state ${status === 'running' ? 'ready' : status}" role="status"
        ><i class="dot"></i>${STATUS_WORDS[status]}</span
      >
      ${this.person()}
    </header>`;
  }

  private person(): TemplateResult | typeof nothing {
    const signedIn = this.view.host.signIn?.signedIn;
    if (signedIn == null) return nothing;
    const role = signedIn.administrator ? ', administrator' : '';
    return html`<span class="person" title=${`Signed in as ${signedIn.subject}${role}`}>
        ${icon('account')}<span class="sr-only">Signed in as </span
        ><span class="person-name">${signedIn.subject}</span
        >${signedIn.administrator ? html`<span class="badge">administrator</span>` : nothing}
      </span>
      <vscode-button appearance="secondary" @click=${this.signOut}>Sign out</vscode-button>`;
  }

  /** A link could be somebody else's, who would like this user to go on as them. */
  private linkWaits(): TemplateResult | typeof nothing {
    const { signIn, linkWaits } = this.view.host;
    if (linkWaits !== true) return nothing;
    const { host } = this.playground;
    const text = `You opened a sign-in link, and are signed in as ${signIn?.signedIn?.subject ?? ''} already. Use it only if you asked for it.`;
    return html`<div class="notice warning banner" role="alert">
      ${icon('link')}
      <p>${text}</p>
      <vscode-button
        appearance="secondary"
        @click=${() => {
          host.signIn('link');
        }}
        >Use the link</vscode-button
      >
      <vscode-button
        @click=${() => {
          host.dismissLink();
        }}
        >Stay signed in</vscode-button
      >
    </div>`;
  }

  private toolbar(open: boolean): TemplateResult {
    const { ui, registry, conversation } = this.view;
    const chosen = registry ? countTicked(ui.selection, registry) : 0;
    return html`<div class="toolbar" role="toolbar" aria-label="Playground">
      <vscode-button
        appearance="icon"
        class="setup-toggle"
        title=${open ? 'Hide the setup' : 'Show the setup'}
        aria-label=${open ? 'Hide the setup' : 'Show the setup'}
        aria-expanded=${open ? 'true' : 'false'}
        @click=${this.toggleSetup}
        >${icon(open ? 'layout-sidebar-left' : 'layout-sidebar-left-off')}</vscode-button
      >
      <span class="summary">
        <span class="summary-model">${ui.model === '' ? 'no model' : ui.model}</span>
        <span class="dim">·</span>
        <span>${chosen === 0 ? 'no tools: plain chat' : count(chosen, 'tool')}</span>
      </span>
      <vscode-button
        appearance="secondary"
        title="API code snippet"
        aria-label="API code snippet"
        @click=${this.showSnippet}
        >${icon('code')}<b class="button-label">API code snippet</b></vscode-button
      >
      <vscode-button
        appearance="secondary"
        title="New conversation"
        aria-label="New conversation"
        ?disabled=${conversation.turns.length === 0}
        @click=${this.newConversation}
        >${icon('add')}<b class="button-label">New conversation</b></vscode-button
      >
    </div>`;
  }

  /** With a conversation on the page, its place cannot say that the gateway is gone. */
  private disconnected(): TemplateResult | typeof nothing {
    const { host, conversation } = this.view;
    if (host.status === 'running' || conversation.turns.length === 0) return nothing;
    const words = {
      starting: 'The gateway is starting.',
      unauthenticated: 'You are signed out.',
    };
    const text =
      host.error ??
      (host.status in words ? words[host.status as keyof typeof words] : 'The gateway is not running.');
    return html`<div class="notice warning banner" role="alert">
      ${icon('debug-disconnect')}
      <p>${text}</p>
      ${
        this.playground.host.kind === 'editor' && host.status !== 'starting'
          ? html`<vscode-button appearance="secondary" @click=${this.startGateway}>Start</vscode-button>`
          : nothing
      }
      ${
        host.status === 'unauthenticated'
          ? html`<vscode-button appearance="secondary" @click=${this.newConversation}
              >Sign in again</vscode-button
            >`
          : nothing
      }
    </div>`;
  }

  private readonly toggleSetup = (): void => {
    if (this.narrow.matches) this.coverOpen = !this.coverOpen;
    else this.playground.change({ setupOpen: !this.playground.view.ui.setupOpen });
  };

  private readonly startGateway = (): void => {
    this.playground.host.command('start');
  };

  private readonly signOut = (): void => {
    this.playground.stop();
    this.playground.host.signOut();
  };

  private readonly newConversation = (): void => {
    this.playground.newConversation();
    this.focusPrompt();
  };

  private readonly showSnippet = (): void => {
    const dialog = this.querySelector('tg-snippet');
    if (dialog instanceof SnippetDialog) void dialog.show();
  };

  private readonly focusPrompt = (): void => {
    void this.updateComplete.then(() => {
      const box = this.querySelector('tg-prompt');
      if (box instanceof PromptBox)
        void box.updateComplete.then(() => {
          box.focusInput();
        });
    });
  };
}
