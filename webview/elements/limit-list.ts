import { html, nothing } from 'lit';
import type { PropertyValues, TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { CounterView } from '../../gateway/contract/limits.ts';
import { counterKey, limitWords, shareOf, type LimitLevel } from '../limit-words.ts';
import type { Playground } from '../playground.ts';
import { icon, LightElement } from './light-element.ts';

/** What is used is shown within this time. */
const LOOK_EVERY_MS = 10_000;
/** Rows that are shown before the user asks for the rest. */
const FEW = 5;

/**
 * What is used of the rate limits and budgets that the user may see. The fullest come first when they are first read;
 * from then on each keeps its place. Nothing is shown while there is none.
 */
@customElement('tg-limits')
export class LimitList extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) running!: boolean;
  @state() private counters: readonly CounterView[] = [];
  @state() private all = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(this.read, LOOK_EVERY_MS);
    document.addEventListener('visibilitychange', this.read);
  }

  override disconnectedCallback(): void {
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.read);
    super.disconnectedCallback();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has('running')) this.read();
  }

  override render(): TemplateResult | typeof nothing {
    if (this.counters.length === 0) return nothing;
    const shown = this.all ? this.counters : this.counters.slice(0, FEW);
    const now = Date.now();
    const full = this.counters.filter((one) => limitWords(one, now).level === 'full').length;
    return html`<section class="field limits" aria-labelledby="limits-heading">
      <h2 id="limits-heading">
        Limits ${full === 0 ? nothing : html`<span class="count" role="status">${full} used up</span>`}
      </h2>
      <ul>
        ${repeat(shown, counterKey, (one) => row(one, now))}
      </ul>
      ${this.counters.length > FEW ? this.rest(now) : nothing}
    </section>`;
  }

  /** What is not shown says how it stands, so that nobody has to look for it. */
  private rest(now: number): TemplateResult {
    const hidden = this.counters.slice(FEW);
    const near = hidden.filter((one) => limitWords(one, now).level !== 'fine').length;
    const words = `and ${hidden.length} more${near === 0 ? '' : `, ${near} of them nearly or wholly used up`}`;
    return html`<button class="link" aria-expanded=${this.all ? 'true' : 'false'} @click=${this.toggle}>
      ${this.all ? 'Show fewer' : words}
    </button>`;
  }

  private readonly toggle = (): void => {
    this.all = !this.all;
    if (!this.all) this.counters = fullestFirst(this.counters);
  };

  private readonly read = (): void => {
    if (!this.running || document.visibilityState !== 'visible') return;
    void this.playground.limits().then((read) => {
      // What cannot be read just now stays as it was.
      if (read !== undefined) this.counters = inPlace(this.counters, read);
    });
  };
}

function fullestFirst(counters: readonly CounterView[]): CounterView[] {
  return counters.toSorted((a, b) => shareOf(b) - shareOf(a));
}

/** What is there keeps its place; what is new comes below it. */
function inPlace(before: readonly CounterView[], read: readonly CounterView[]): CounterView[] {
  const fresh = new Map(read.map((one) => [counterKey(one), one]));
  const kept = before.flatMap((one) => {
    const now = fresh.get(counterKey(one));
    fresh.delete(counterKey(one));
    return now ?? [];
  });
  return [...kept, ...fullestFirst([...fresh.values()])];
}

const ICONS: Record<Exclude<LimitLevel, 'fine'>, string> = { much: 'warning', full: 'error' };

function row(counter: CounterView, now: number): TemplateResult {
  const { policy, mode, amount, used } = counter;
  const { level, percent, counts, used: ofWhat, whose, state, until } = limitWords(counter, now);
  const notes = [state, until].filter((one) => one !== '').join('; ');
  return html`<li class="limit ${level}">
    <div class="limit-line">
      <span class="row-name" title=${policy}>${policy}</span>
      ${mode === 'audit' ? html`<span class="badge" title="It counts, and refuses nothing">audit</span>` : nothing}
      <span class="limit-percent">${percent}</span>
    </div>
    <meter
      min="0"
      max=${amount === 0 ? 1 : amount}
      .value=${amount === 0 ? 1 : used}
      aria-label=${`${policy}, ${counts}, ${whose}`}
      aria-valuetext=${`${ofWhat}, ${percent}`}
    ></meter>
    <p class="hint">${ofWhat} · ${whose}</p>
    ${
      notes === ''
        ? nothing
        : html`<p class="hint limit-state">${level === 'fine' ? nothing : icon(ICONS[level])} ${notes}</p>`
    }
  </li>`;
}
