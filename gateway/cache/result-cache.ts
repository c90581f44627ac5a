import type { JsonObject } from '../contract/json.ts';

/** Whose a result is: it is found by its key, and forgotten with its server or holder. */
export interface Owner {
  readonly serverId: string;
  /** A subject; undefined when it is everybody's. */
  readonly holder: string | undefined;
}

/** A result that was kept. */
export interface Kept {
  readonly result: JsonObject;
  readonly ageMs: number;
  readonly ttlMs: number;
}

/** What a server's kept results come to. */
export interface CacheView {
  readonly serverId: string;
  readonly entries: number;
  readonly bytes: number;
}

/** Results of tools, kept in memory within a bound: the one that was not used for longest makes room. */
export interface ResultCache {
  find(key: string): Kept | undefined;
  keep(key: string, owner: Owner, result: JsonObject, bytes: number, ttlMs: number): void;
  /** Forgets what a server has answered: to one holder and to everybody together, or, without `holder`, to all. */
  forget(serverId: string | undefined, holder?: string): void;
  view(): { readonly hits: number; readonly misses: number; readonly servers: readonly CacheView[] };
}

interface Entry extends Owner {
  readonly result: JsonObject;
  readonly bytes: number;
  readonly ttlMs: number;
  readonly at: number;
}

const MAX_BYTES = 64 * 1024 * 1024;

export function createResultCache(now: () => number, maxBytes = MAX_BYTES): ResultCache {
  /** The one that was not used for longest first. */
  const entries = new Map<string, Entry>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;
  const drop = (key: string): void => {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  return {
    find: (key) => {
      const entry = entries.get(key);
      const ageMs = entry === undefined ? 0 : now() - entry.at;
      if (entry === undefined || ageMs >= entry.ttlMs) {
        misses += 1;
        drop(key);
        return undefined;
      }
      hits += 1;
      entries.delete(key);
      entries.set(key, entry);
      return { result: entry.result, ageMs, ttlMs: entry.ttlMs };
    },
    keep: (key, owner, result, size, ttlMs) => {
      drop(key);
      if (size > maxBytes || ttlMs <= 0) return;
      entries.set(key, { ...owner, result, bytes: size, ttlMs, at: now() });
      bytes += size;
      for (const oldest of entries.keys()) {
        if (bytes <= maxBytes) break;
        drop(oldest);
      }
    },
    forget: (serverId, holder) => {
      for (const [key, entry] of entries) {
        if (serverId !== undefined && entry.serverId !== serverId) continue;
        if (holder === undefined || entry.holder === undefined || entry.holder === holder) drop(key);
      }
    },
    view: () => {
      const servers = new Map<string, { entries: number; bytes: number }>();
      for (const entry of entries.values()) {
        const sum = servers.get(entry.serverId) ?? { entries: 0, bytes: 0 };
        servers.set(entry.serverId, { entries: sum.entries + 1, bytes: sum.bytes + entry.bytes });
      }
      return { hits, misses, servers: [...servers].map(([serverId, sum]) => ({ serverId, ...sum })) };
    },
  };
}
