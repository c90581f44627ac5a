import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { CredentialView } from '../../gateway/contract/credentials.ts';
import { credentialWords } from '../../gateway/contract/credential-text.ts';
import type { Playground } from '../playground.ts';
import { shortName, thrownWords } from '../words.ts';
import { icon, LightElement } from './light-element.ts';

/** What servers ask the user for: where to sign in, what to fill in, and how long it is good. */
@customElement('tg-credentials')
export class CredentialList extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) credentials!: readonly CredentialView[];
  /** Of which server something is asked: its values, or whether it is really to be taken back. */
  @state() private asking: { readonly server: string; readonly what: 'values' | 'remove' } | undefined;
  @state() private problem: { readonly server: string; readonly words: string } | undefined;
  @state() private busy: string | undefined;

  override render(): TemplateResult {
    const lacking = this.credentials.filter((one) => one.state !== 'ok').length;
    return html`<section class="field credentials" aria-labelledby="credentials-heading">
      <h2 id="credentials-heading">
        Credentials
        ${lacking === 0 ? nothing : html`<span class="count" role="status">${lacking} to give</span>`}
      </h2>
      <ul>
        ${repeat(
          this.credentials,
          ({ server }) => server,
          (one) => this.row(one),
        )}
      </ul>
    </section>`;
  }

  private row(one: CredentialView): TemplateResult {
    const { server, state: how } = one;
    const asking = this.asking?.server === server ? this.asking.what : undefined;
    return html`<li class="credential">
      <div class="credential-line">
        ${icon(how === 'ok' ? 'pass-filled' : 'key', how)}
        <span class="row-name" title=${server}>${shortName(server)}</span>
        ${asking === undefined ? this.actions(one) : nothing}
      </div>
      <p class="hint">${credentialWords(one, new Date())}</p>
      ${asking === 'values' ? this.form(one) : nothing} ${asking === 'remove' ? this.confirm(one) : nothing}
      ${
        this.problem?.server === server
          ? html`<p class="notice error" role="alert">${icon('error')} <span>${this.problem.words}</span></p>`
          : nothing
      }
    </li>`;
  }

  private actions(one: CredentialView): TemplateResult {
    const name = shortName(one.server);
    const button = (label: string, act: () => void): TemplateResult =>
      html`<button
        class="link"
        aria-label=${`${label}: ${name}`}
        ?disabled=${this.busy === one.server}
        @click=${act}
      >
        ${label}
      </button>`;
    const work = (act: () => Promise<string | undefined>) => (): void => void this.work(one.server, act);
    const ask = (what: 'values' | 'remove') => (): void => {
      this.asking = { server: one.server, what };
    };
    if (one.kind === 'values')
      return one.state === 'ok'
        ? html`${button('Replace', ask('values'))} ${button('Remove', ask('remove'))}`
        : html`${button('Fill in', ask('values'))}`;
    const signIn = work(() => this.playground.signInTo(one));
    if (one.state !== 'ok') return button('Sign in', signIn);
    const renew = work(() => this.playground.changeCredential(one, 'renew'));
    return html`${one.renews === true ? button('Renew', renew) : button('Sign in again', signIn)}
    ${one.signedInAt === undefined ? nothing : button('Sign out', ask('remove'))}`;
  }

  private form(one: CredentialView): TemplateResult {
    const submit = (event: SubmitEvent): void => {
      event.preventDefault();
      const given = [...new FormData(event.target as HTMLFormElement)].filter(([, value]) => value !== '');
      const values = Object.fromEntries(given) as Record<string, string>;
      this.asking = undefined;
      if (given.length > 0) void this.work(one.server, () => this.playground.changeCredential(one, values));
    };
    return html`<form @submit=${submit}>
      ${one.fields.map(
        (field) =>
          html`<label
            >${field}
            <input
              class="input"
              type="password"
              name=${field}
              autocomplete="off"
              ?required=${one.missing.includes(field)}
            />
          </label>`,
      )}
      <div class="credential-buttons">
        <vscode-button @click=${this.submitOwn}>Keep</vscode-button>
        <vscode-button appearance="secondary" @click=${this.leave}>Cancel</vscode-button>
      </div>
    </form>`;
  }

  private confirm(one: CredentialView): TemplateResult {
    const [question, label] =
      one.kind === 'oauth2'
        ? [one.subject === 'everyone' ? 'Sign everybody out of it?' : 'Sign out of it?', 'Sign out']
        : ['Remove what you gave?', 'Remove'];
    const remove = (): void => {
      this.asking = undefined;
      void this.work(one.server, () => this.playground.changeCredential(one, 'remove'));
    };
    return html`<div class="credential-buttons" role="group" aria-label=${question}>
      <span>${question}</span>
      <vscode-button @click=${remove}>${label}</vscode-button>
      <vscode-button appearance="secondary" @click=${this.leave}>Keep</vscode-button>
    </div>`;
  }

  private readonly leave = (): void => {
    this.asking = undefined;
  };

  /** The toolkit's button submits no form by itself. */
  private readonly submitOwn = (event: Event): void => {
    (event.target as HTMLElement).closest('form')?.requestSubmit();
  };

  private async work(server: string, act: () => Promise<string | undefined>): Promise<void> {
    this.busy = server;
    this.problem = undefined;
    const words = await act().catch(thrownWords);
    if (words !== undefined) this.problem = { server, words };
    this.busy = undefined;
  }
}
