import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import { runningTurn } from '../conversation.ts';
import type { Conversation, Item, Run, SignInItem, Turn } from '../conversation.ts';
import type { Playground } from '../playground.ts';
import { count, shortName } from '../words.ts';
import { icon, LightElement } from './light-element.ts';
import './markdown-text.ts';
import './run-footer.ts';
import './approval-card.ts';
import './tool-card.ts';

/** How near to its end the timeline still counts as being there, in pixels. */
const AT_END_PX = 40;

/** The conversation, growing at its end and following it as long as the user stays there. */
@customElement('tg-timeline')
export class RunTimeline extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) conversation!: Conversation;
  @state() private following = true;
  /** Markdown and cards grow after their own update; once a run is over only the user makes them grow. */
  private readonly resize = new ResizeObserver(() => {
    if (runningTurn(this.conversation)) this.follow();
  });

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener('scroll', this.noteScroll);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.removeEventListener('scroll', this.noteScroll);
    this.resize.disconnect();
  }

  protected override firstUpdated(): void {
    const content = this.querySelector('.turns');
    if (content) this.resize.observe(content);
    this.resize.observe(this);
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    const before = changed.get('conversation') as Conversation | undefined;
    if (before && this.conversation.turns.at(-1)?.id !== before.turns.at(-1)?.id) this.following = true;
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('conversation')) {
      requestAnimationFrame(() => {
        this.follow();
      });
    }
  }

  override render(): TemplateResult {
    const { turns } = this.conversation;
    return html`<div class="turns">
        ${repeat(
          turns,
          (turn) => turn.id,
          (turn, index) => this.turn(turn, index === turns.length - 1),
        )}
      </div>
      ${
        this.following
          ? nothing
          : html`<div class="jump">
              <vscode-button appearance="secondary" @click=${this.jump}
                >${icon('arrow-down')}<b class="button-label">Latest</b></vscode-button
              >
            </div>`
      }`;
  }

  private turn(turn: Turn, last: boolean): TemplateResult {
    return html`<article class="turn" aria-label="Message ${turn.id}">
      <div class="prompt">
        <h3 class="sr-only">You</h3>
        <p>${turn.prompt}</p>
      </div>
      <div class="run">
        <h3 class="run-model">${icon('sparkle')} ${turn.model}</h3>
        ${this.omitted(turn.run)} ${turn.run.items.map((item) => this.item(item, turn.run))}
        <tg-run-footer .playground=${this.playground} .turn=${turn} .last=${last}></tg-run-footer>
      </div>
    </article>`;
  }

  private item(item: Item, run: Run): TemplateResult {
    switch (item.kind) {
      case 'iteration':
        return html`<h4 class="iteration">
          Iteration
          ${item.iteration}${run.iterationLimit === undefined ? '' : ` of at most ${String(run.iterationLimit)}`}
        </h4>`;
      case 'text':
        return html`<tg-markdown class="answer" .text=${item.text}></tg-markdown>`;
      case 'sign-in':
        return this.signIn(item);
      case 'approval':
        return html`<tg-approval .playground=${this.playground} .item=${item}></tg-approval>`;
      case 'notice':
        return html`<p class="notice ${item.effect === 'failed' ? 'warning' : ''}">
          ${icon(item.effect === 'failed' ? 'warning' : 'shield')} <span>${item.text}</span>
        </p>`;
      case 'tool':
        return html`<tg-tool-card .host=${this.playground.host} .call=${item}></tg-tool-card>`;
    }
  }

  private signIn({ server, url, status }: SignInItem): TemplateResult {
    const name = shortName(server);
    if (status === 'given')
      return html`<p class="notice sign-in">${icon('pass')} You signed in to ${name}; the call goes on.</p>`;
    if (status === 'lapsed')
      return html`<p class="notice sign-in">${icon('circle-slash')} Nobody signed in to ${name}.</p>`;
    return html`<div class="notice warning sign-in" role="status">
      ${icon('key')} <span>${name} asks you to sign in. The call waits for it.</span>
      <vscode-button
        class="sign-in-link"
        @click=${() => {
          this.playground.host.open(url);
        }}
        >Sign in</vscode-button
      >
    </div>`;
  }

  private omitted(run: Run): TemplateResult | typeof nothing {
    if (run.omitted.length === 0) return nothing;
    return html`<details class="notice warning">
      <summary>
        ${icon('warning')} ${count(run.omitted.length, 'tool')} could not be offered to the model
      </summary>
      <ul>
        ${run.omitted.map(
          ({ server, tool, reason }) => html`<li><code>${shortName(server)} › ${tool}</code>: ${reason}</li>`,
        )}
      </ul>
    </details>`;
  }

  private readonly noteScroll = (): void => {
    this.following = this.scrollHeight - this.scrollTop - this.clientHeight < AT_END_PX;
  };

  private follow(): void {
    if (this.following) this.scrollTop = this.scrollHeight;
  }

  private readonly jump = (): void => {
    this.following = true;
    this.follow();
  };
}
