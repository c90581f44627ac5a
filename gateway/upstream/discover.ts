import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Capabilities, Listed } from '../registry/entry.ts';
import type { Connection } from './connection.ts';
import { describeError } from './errors.ts';

/** A server that pages for ever, or offers more than anyone can use, is cut off here. */
const MAX_PAGES = 1_000;
const MAX_ITEMS = 10_000;

/** What is known of a server that was never listed. */
export const NOTHING: Capabilities = { tools: [], resources: [], templates: [], prompts: [] };

export interface Discovery {
  readonly capabilities: Capabilities;
  /** The lists that were read to their end; one that the server does not declare is empty, and so it was. */
  readonly listed: ReadonlySet<keyof Capabilities>;
  /** What could not be listed, in words; empty when all could. */
  readonly problems: readonly string[];
  /** For how long the server calls its lists fresh, the shortest of them; a legacy one does not say. */
  readonly ttlMs?: number;
}

const LISTS = [
  { part: 'tools', method: 'tools/list', key: 'tools', capability: 'tools', unique: 'name' },
  {
    part: 'resources',
    method: 'resources/list',
    key: 'resources',
    capability: 'resources',
    unique: 'uri',
  },
  {
    part: 'templates',
    method: 'resources/templates/list',
    key: 'resourceTemplates',
    capability: 'resources',
    unique: 'uriTemplate',
  },
  { part: 'prompts', method: 'prompts/list', key: 'prompts', capability: 'prompts', unique: 'name' },
] as const;

/**
 * Lists all that a server declares to offer, through every page. A list that fails does not fail the others and
 * leaves what was `known` of it. Of items that claim one name (or URI) the first counts: a second could show
 * other annotations than those that calls are judged by.
 */
export async function discover(
  connection: Connection,
  signal: AbortSignal,
  known: Capabilities = NOTHING,
): Promise<Discovery> {
  const capabilities = { ...NOTHING };
  const problems: string[] = [];
  const ttls: number[] = [];
  const listed = new Set<keyof Capabilities>();
  await Promise.all(
    LISTS.map(async ({ part, method, key, capability, unique }) => {
      if (connection.handshake.capabilities[capability] === undefined) {
        listed.add(part);
        return;
      }
      try {
        const items = await drain(connection, method, key, signal, ttls);
        const first = new Map<string, Listed>();
        for (const item of items) {
          const id = item[unique];
          if (typeof id === 'string' && !first.has(id)) first.set(id, item);
        }
        capabilities[part] = [...first.values()];
        listed.add(part);
      } catch (error) {
        capabilities[part] = known[part];
        // Servers often declare resources and answer "method not found" for templates.
        if (part !== 'templates') problems.push(`${method} failed: ${describeError(error)}`);
      }
    }),
  );
  return { capabilities, listed, problems, ...(ttls.length > 0 && { ttlMs: Math.min(...ttls) }) };
}

async function drain(
  connection: Connection,
  method: string,
  key: string,
  signal: AbortSignal,
  ttls: number[],
): Promise<Listed[]> {
  const items: Listed[] = [];
  const seen = new Set<string>();
  let params: JsonObject = {};
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await connection.request(method, params, { signal });
    const { ttlMs } = result;
    if (connection.era === 'modern') ttls.push(typeof ttlMs === 'number' ? Math.max(0, ttlMs) : 0);
    const list = result[key];
    if (Array.isArray(list)) for (const item of list) if (isListed(item)) items.push(item);
    if (items.length > MAX_ITEMS) throw new Error(`over ${MAX_ITEMS} items`);
    const cursor = result['nextCursor'];
    if (typeof cursor !== 'string') return items;
    if (seen.has(cursor)) throw new Error('the server repeated a cursor');
    seen.add(cursor);
    params = { cursor };
  }
  throw new Error(`over ${MAX_PAGES} pages`);
}

function isListed(item: unknown): item is Listed {
  return isJsonObject(item) && typeof item['name'] === 'string';
}
