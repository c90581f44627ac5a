import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import { discoverResult } from '../handshake.ts';
import type { ListMethod, View } from '../scope.ts';

/** The results that an address answers by itself, as text. */
export interface Payloads {
  /** What the address offers, as `server/discover` says it. */
  readonly capabilities: JsonObject;
  readonly discover: string;
  /** One page of a list, from its cursor on; undefined for a cursor that was never given out. */
  page(method: ListMethod, cursor: unknown): string | undefined;
}

/** How many items a page has at most. */
const PAGE_SIZE = 1_000;
/** For how long a client may keep a list: what changes is announced to those who listen, and calls are judged anew. */
const LIST_TTL_MS = 5_000;
/** Never `public`: what an address shows depends on who asks. */
const CACHING = { ttlMs: LIST_TTL_MS, cacheScope: 'private' } as const;
const KEYS: Readonly<Record<ListMethod, string>> = {
  'tools/list': 'tools',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
  'prompts/list': 'prompts',
};

/** Gives the payloads of a view, made once for each. */
export function createPayloads(gatewayVersion: string): (view: View) => Payloads {
  const known = new WeakMap<View, Payloads>();
  return (view) => {
    let payloads = known.get(view);
    if (payloads === undefined) known.set(view, (payloads = make(view, gatewayVersion)));
    return payloads;
  };
}

function make(view: View, gatewayVersion: string): Payloads {
  const discovered = discoverResult(view, gatewayVersion);
  const ready = new Map<ListMethod, readonly string[]>();
  return {
    capabilities: discovered['capabilities'] as JsonObject,
    discover: JSON.stringify({ ...complete(discovered), ...CACHING }),
    page: (method, cursor) => {
      let pages = ready.get(method);
      if (pages === undefined) ready.set(method, (pages = paginate(view.payloads[method], KEYS[method])));
      return pages[cursor === undefined ? 0 : pageOf(cursor)];
    },
  };
}

/** A list as the legacy era has it, in pages of the modern one. */
function paginate(list: string, key: string): readonly string[] {
  const items = (JSON.parse(list) as Record<string, readonly unknown[]>)[key] ?? [];
  const pages: string[] = [];
  for (let at = 0; at === 0 || at < items.length; at += PAGE_SIZE) {
    const more = at + PAGE_SIZE < items.length;
    const result = {
      [key]: items.slice(at, at + PAGE_SIZE),
      ...(more && { nextCursor: cursorOf(pages.length + 1) }),
    };
    pages.push(JSON.stringify({ ...complete(result), ...CACHING }));
  }
  return pages;
}

/** A result with its type, where the server's own result has none because it is of the legacy era. */
export function complete(result: JsonObject): JsonObject {
  return result['resultType'] === undefined ? { ...result, resultType: 'complete' } : result;
}

/**
 * A read resource with the hints for caches that it must have. What its server says may be shared with anybody is
 * for those with access here only.
 */
export function cacheable(result: JsonObject): JsonObject {
  const { ttlMs } = result;
  const valid = typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs >= 0;
  return { ...result, ttlMs: valid ? ttlMs : 0, cacheScope: 'private' };
}

/** Whether an address offers a method, by its capabilities. */
export function offers(capabilities: JsonObject, method: string): boolean {
  const name = method === 'completion/complete' ? 'completions' : (method.split('/')[0] ?? '');
  return !CONDITIONAL.has(name) || isJsonObject(capabilities[name]);
}

const CONDITIONAL: ReadonlySet<string> = new Set(['tools', 'resources', 'prompts', 'completions']);

function cursorOf(page: number): string {
  return Buffer.from(`page ${page}`).toString('base64url');
}

function pageOf(cursor: unknown): number {
  const text = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString('utf8') : '';
  const page = Number(/^page ([1-9]\d{0,4})$/.exec(text)?.[1] ?? -1);
  return page >= 1 && cursorOf(page) === cursor ? page : -1;
}
