import { isJsonObject } from '../contract/json.ts';
import type { SearchHit, SearchResponse } from '../contract/search.ts';
import type { Principal } from '../identity/principal.ts';
import type { Directory } from './directory.ts';
import type { Listed, ServerEntry } from './entry.ts';
import { rank, termsOf, type RankedDocument, type Terms } from './ranking.ts';

/** What a query found: the item as it is shown. */
export interface Found {
  readonly kind: SearchHit['kind'];
  readonly entry: ServerEntry;
  readonly item: Listed;
}

/**
 * Searches the tools, resources and prompts that the principal may use, by name, title, description, the names of
 * arguments, and the server's name, description and tags. The best first; what the principal may not use has no
 * part in it, not even in the scores. Asking twice gives the same order.
 */
export type Search = (
  principal: Principal,
  query: string,
) => readonly { readonly item: Found; readonly score: number }[];

export function createSearch(directory: Directory): Search {
  // An item's words are read once, and forgotten with the catalog's entry that holds it.
  const known = new WeakMap<object, Terms>();
  const remember = (key: object, read: () => Terms): Terms => {
    let terms = known.get(key);
    if (terms === undefined) known.set(key, (terms = read()));
    return terms;
  };
  return (principal, query) => {
    const documents = directory.servers(principal).flatMap((entry) => {
      const shared = remember(entry.config, () => serverTerms(entry));
      return itemsOf(directory, principal, entry).map((found): RankedDocument<Found> => ({
        item: found,
        terms: [remember(found.item, () => itemTerms(found.item)), shared],
      }));
    });
    return rank(documents, query);
  };
}

const MAX_DESCRIPTION = 300;

/** The first hits of an answer, as callers see them. */
export function searchResponse(
  found: readonly { readonly item: Found; readonly score: number }[],
  limit: number,
): SearchResponse {
  return { total: found.length, hits: found.slice(0, limit).map(({ item, score }) => toHit(item, score)) };
}

function toHit({ kind, entry, item }: Found, score: number): SearchHit {
  const title = titleOf(item);
  const description = text(item['description'])?.slice(0, MAX_DESCRIPTION);
  const template = text(item['uriTemplate']);
  const uri = template ?? text(item['uri']);
  return {
    kind,
    server: entry.fqn,
    state: entry.status.state,
    name: item.name,
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(kind === 'resource' && uri !== undefined && { uri, template: template !== undefined }),
    score: Math.round(score * 1_000) / 1_000,
  };
}

function itemsOf(directory: Directory, principal: Principal, entry: ServerEntry): Found[] {
  const { resources, templates, prompts } = entry.capabilities;
  const as = (kind: Found['kind'], items: readonly Listed[]): Found[] =>
    items.map((item) => ({ kind, entry, item }));
  return [
    ...as('tool', directory.tools(principal, entry)),
    ...as('resource', [...resources, ...templates]),
    ...as('prompt', prompts),
  ];
}

function serverTerms({ name, group, config }: ServerEntry): Terms {
  return termsOf([
    [name, 2],
    [group, 1],
    [config.tags.join(' '), 3],
    [config.description, 1],
  ]);
}

function itemTerms(item: Listed): Terms {
  return termsOf([
    [item.name, 5],
    [titleOf(item), 4],
    [text(item['uri']) ?? text(item['uriTemplate']), 2],
    [argumentNames(item).join(' '), 1.5],
    [text(item['description']), 1],
  ]);
}

const MAX_DEPTH = 3;

/** Of a tool's input schema, those of nested objects included; of a prompt, its arguments'. */
function argumentNames(item: Listed): string[] {
  const prompt = Array.isArray(item['arguments']) ? item['arguments'] : [];
  const names = prompt.flatMap((argument: unknown) =>
    isJsonObject(argument) ? (text(argument['name']) ?? []) : [],
  );
  return [...names, ...propertyNames(item['inputSchema'], MAX_DEPTH)];
}

function propertyNames(schema: unknown, depth: number): string[] {
  if (!isJsonObject(schema) || depth === 0) return [];
  const { properties, items } = schema;
  const own = isJsonObject(properties) ? Object.entries(properties) : [];
  return [
    ...own.flatMap(([name, value]) => [name, ...propertyNames(value, depth - 1)]),
    ...propertyNames(items, depth - 1),
  ];
}

function titleOf(item: Listed): string | undefined {
  const annotations = item['annotations'];
  return text(item['title']) ?? (isJsonObject(annotations) ? text(annotations['title']) : undefined);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
