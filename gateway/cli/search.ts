import { searchResponseSchema, type SearchHit } from '../contract/search.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

export interface SearchOptions extends ClientOptions {
  readonly limit: string;
  readonly json?: boolean;
}

const MAX_DESCRIPTION = 80;

/** `toolgate search WORDS`: what a running gateway offers that fits, the best first. */
export async function search(words: readonly string[], options: SearchOptions): Promise<void> {
  const query = new URLSearchParams({ q: words.join(' '), limit: options.limit });
  const found = searchResponseSchema.parse(await ask(options, `/api/v1/search?${query.toString()}`));
  if (options.json === true) {
    printJson(found);
    return;
  }
  const { hits, total } = found;
  if (hits.length === 0) {
    process.stdout.write(`Nothing fits "${words.join(' ')}" among what this token may use.\n`);
    return;
  }
  process.stdout.write(table(['kind', 'server', 'name', 'description'], hits.map(row)));
  if (total > hits.length)
    process.stdout.write(`\n${hits.length} of ${total}; --limit shows more, further words narrow it.\n`);
}

function row({ kind, server, state, name, title, description, uri }: SearchHit): string[] {
  const about = (description ?? title ?? '').replace(/\s+/g, ' ');
  const cut = about.length > MAX_DESCRIPTION ? `${about.slice(0, MAX_DESCRIPTION - 1)}…` : about;
  return [kind, state === 'ready' ? server : `${server} (${state})`, uri ?? name, cut];
}
