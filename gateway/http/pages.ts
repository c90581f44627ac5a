import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** A page for a person whose browser comes by on the way to somewhere else. Texts are plain, and escaped here. */
export interface Page {
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** What is told in a list: a term and what it is. */
  readonly facts?: readonly (readonly [string, string])[];
  readonly action?: { readonly label: string; readonly href: string };
  /** Said under the action. */
  readonly note?: string;
}

const STYLE = `:root{color-scheme:light dark;--fg:#1f2328;--soft:#57606a;--bg:#f6f8fa;--card:#fff;--line:#d0d7de;--accent:#0969da;--on:#fff}
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--soft:#9198a1;--bg:#0d1117;--card:#161b22;--line:#30363d;--accent:#2f81f7;--on:#fff}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{width:100%;max-width:32rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
.name{margin:0 0 1.5rem;color:var(--soft);font-size:.875rem;letter-spacing:.02em}h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.3}p{margin:0 0 1rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:auto 1fr;gap:.375rem 1rem;margin:0 0 1.5rem;padding:1rem;border:1px solid var(--line);border-radius:8px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.action{display:inline-block;padding:.5rem 1.25rem;border-radius:6px;background:var(--accent);color:var(--on);text-decoration:none;font-weight:600}.action:focus-visible{outline:3px solid var(--fg);outline-offset:2px}
.note{margin:1.25rem 0 0;color:var(--soft);font-size:.875rem}`;

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function sendPage(res: ServerResponse, status: number, page: Page): void {
  const text = render(page);
  res.writeHead(status, { ...HEADERS, 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

function render({ title, paragraphs, facts = [], action, note }: Page): string {
  const parts = [
    `<h1>${escape(title)}</h1>`,
    ...paragraphs.map((text) => `<p>${escape(text)}</p>`),
    facts.length === 0
      ? ''
      : `<dl>${facts.map(([term, text]) => `<dt>${escape(term)}</dt><dd>${escape(text)}</dd>`).join('')}</dl>`,
    action === undefined ? '' : `<a class="action" href="${escape(action.href)}">${escape(action.label)}</a>`,
    note === undefined ? '' : `<p class="note">${escape(note)}</p>`,
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)} · Toolgate</title><style>${STYLE}</style></head><body><main><p class="name">Toolgate</p>${parts.join('')}</main></body></html>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
