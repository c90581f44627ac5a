import { html, nothing } from 'lit';
import type { TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import { repeat } from 'lit/directives/repeat.js';
import type { RegistryView, ServerState, ToolView } from '../../gateway/contract/registry.ts';
import type { Playground } from '../playground.ts';
import { countTicked, groupTick, isToolTicked, serverTick, tick } from '../selection.ts';
import type { Scope, Tick } from '../selection.ts';
import { filterRegistry, scopeOf } from '../tool-filter.ts';
import type { FilteredGroup, FilteredServer } from '../tool-filter.ts';
import type { UiState } from '../ui-state.ts';
import { count } from '../words.ts';
import { icon, LightElement } from './light-element.ts';

/** Many models refuse a request with more tools. */
const TOOLS_LIMIT = 128;

const STATE_WORDS: Record<ServerState, string> = {
  configured: 'not started',
  starting: 'starting',
  ready: 'ready',
  degraded: 'degraded',
  failed: 'failed',
  stopped: 'stopped',
};

/** What the list of credentials says more of. */
const LACK_WORDS = { consent: 'needs a sign-in', values: 'needs a key' } as const;

/** The groups, servers and tools the caller may use, to tick for the next run. */
@customElement('tg-tool-tree')
export class ToolTree extends LightElement {
  @property({ attribute: false }) playground!: Playground;
  @property({ attribute: false }) registry!: RegistryView;
  @property({ attribute: false }) ui!: UiState;
  @state() private filter = '';

  override render(): TemplateResult {
    const groups = filterRegistry(this.registry, this.filter);
    const ticked = countTicked(this.ui.selection, this.registry);
    return html`
      <div class="tree-head">
        <h2 id="tools-heading">Tools</h2>
        <span class="count" role="status">${ticked === 0 ? 'none chosen' : `${String(ticked)} chosen`}</span>
        ${
          Object.keys(this.ui.selection).length > 0
            ? html`<button class="link" @click=${this.clear}>Clear</button>`
            : nothing
        }
      </div>
      ${
        ticked > TOOLS_LIMIT
          ? html`<p class="notice warning" role="alert">
              ${icon('warning')} <span>Many models refuse more than ${TOOLS_LIMIT} tools. Choose fewer.</span>
            </p>`
          : nothing
      }
      <vscode-text-field
        class="filter"
        placeholder="Filter tools"
        aria-label="Filter tools"
        .value=${live(this.filter)}
        @input=${this.onFilter}
        ><span slot="start" class="codicon codicon-filter" aria-hidden="true"></span
      ></vscode-text-field>
      <ul class="tree" aria-labelledby="tools-heading" @keydown=${this.onKey}>
        ${repeat(
          groups,
          (group) => group.name,
          (group) => this.group(group),
        )}
      </ul>
      ${groups.length === 0 ? html`<p class="muted">No tool matches “${this.filter}”.</p>` : nothing}
    `;
  }

  private group(group: FilteredGroup): TemplateResult {
    const open = this.filter !== '' || !this.ui.folded.includes(group.name);
    return html`<li>
      <div class="row group-row">
        ${this.fold(open, group.name, () => {
          this.playground.change({ folded: toggled(this.playground.view.ui.folded, group.name) });
        })}
        ${this.box(
          groupTick(
            this.ui.selection,
            group.servers.map(({ server }) => server),
          ),
          `Group ${group.name}`,
          group.servers.map(scopeOf),
          html`<span class="row-name" title=${group.description ?? ''}>${group.name}</span>`,
        )}
      </div>
      ${
        open
          ? html`<ul>
              ${repeat(
                group.servers,
                ({ server }) => server.fqn,
                (server) => this.server(server),
              )}
              ${group.servers.length === 0 ? html`<li class="muted nested">No servers in this group yet.</li>` : nothing}
            </ul>`
          : nothing
      }
    </li>`;
  }

  private server(filtered: FilteredServer): TemplateResult {
    const { server, tools } = filtered;
    const open = this.filter !== '' || this.ui.unfolded.includes(server.fqn);
    const { lacks } = server;
    const word = lacks === undefined ? STATE_WORDS[server.state] : LACK_WORDS[lacks];
    return html`<li>
      <div class="row server-row">
        ${this.fold(open, server.name, () => {
          this.playground.change({ unfolded: toggled(this.playground.view.ui.unfolded, server.fqn) });
        })}
        ${this.box(
          serverTick(this.ui.selection, server),
          `Server ${server.name}, ${word}, ${count(server.tools.length, 'tool')}`,
          [scopeOf(filtered)],
          html`<span class="row-name" title=${server.description ?? server.fqn}>${server.name}</span>
            <span class="row-state ${lacks === undefined ? server.state : 'configured'}"
              ><i class="dot"></i>${word}</span
            >
            <span class="row-count">${server.tools.length}</span>`,
        )}
      </div>
      ${server.lastError === undefined || lacks !== undefined ? nothing : html`<p class="server-error">${server.lastError}</p>`}
      ${
        open && tools.length > 0
          ? html`<ul>
              ${repeat(
                tools,
                (tool) => tool.name,
                (tool) => this.tool(filtered, tool),
              )}
            </ul>`
          : nothing
      }
    </li>`;
  }

  private tool({ server }: FilteredServer, tool: ToolView): TemplateResult {
    const ticked = isToolTicked(this.ui.selection, server, tool.name);
    const { readOnlyHint, destructiveHint } = tool.annotations ?? {};
    return html`<li class="row tool-row">
      ${this.box(
        ticked ? 'on' : 'off',
        `Tool ${tool.name}`,
        [{ server, tools: [tool.name] }],
        html`<span class="row-name" title=${tool.description ?? tool.title ?? ''}>${tool.name}</span> ${
            destructiveHint === true && readOnlyHint !== true
              ? html`<span class="row-hint" title="The server says this tool may destroy data"
                  >${icon('flame')}<span class="sr-only">may destroy data</span></span
                >`
              : nothing
          }`,
      )}
    </li>`;
  }

  private box(now: Tick, label: string, scopes: readonly Scope[], content: TemplateResult): TemplateResult {
    return html`<label class="row-label">
      <input
        type="checkbox"
        aria-label=${label}
        data-row
        .checked=${live(now === 'on')}
        .indeterminate=${live(now === 'mixed')}
        @change=${() => {
          const { selection } = this.playground.view.ui;
          this.playground.change({ selection: tick(selection, scopes, now !== 'on') });
        }}
      />
      ${content}
    </label>`;
  }

  private fold(open: boolean, name: string, toggle: () => void): TemplateResult {
    return html`<button
      class="fold"
      aria-expanded=${open ? 'true' : 'false'}
      aria-label=${`${open ? 'Fold' : 'Unfold'} ${name}`}
      ?disabled=${this.filter !== ''}
      @click=${toggle}
    >
      ${icon(open ? 'chevron-down' : 'chevron-right')}
    </button>`;
  }

  private readonly onFilter = (event: Event): void => {
    this.filter = (event.target as HTMLInputElement).value;
  };

  private readonly clear = (): void => {
    this.playground.change({ selection: {} });
  };

  /** Up and down move between boxes; right and left unfold and fold, as in a tree. */
  private readonly onKey = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const rows = [...this.querySelectorAll<HTMLElement>('[data-row]')];
      const row = target.closest('.row')?.querySelector<HTMLElement>('[data-row]');
      const next = row && rows[rows.indexOf(row) + (event.key === 'ArrowDown' ? 1 : -1)];
      if (next) {
        event.preventDefault();
        next.focus();
      }
    } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      const fold = target.closest('.row')?.querySelector<HTMLElement>('.fold');
      if (fold && (fold.getAttribute('aria-expanded') === 'true') === (event.key === 'ArrowLeft'))
        fold.click();
    }
  };
}

function toggled(names: readonly string[], name: string): string[] {
  return names.includes(name) ? names.filter((other) => other !== name) : [...names, name];
}
