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
  /** A call leaves whose result may be kept under `key`. It has to be ended. */
  begin(key: string, owner: Owner): Pending;
  /**
   * Forgets what a server has answered: to one holder and to everybody together, or, without `holder`, to all.
   * Calls that are under way count as answered before: what they come to is not kept.
   */
  forget(serverId: string | undefined, holder?: string): void;
  view(): { readonly hits: number; readonly misses: number; readonly servers: readonly CacheView[] };
}

/** A call whose result may be kept. */
export interface Pending {
  /** Without effect once what its server answered was forgotten, or a call that left later has come back. */
  keep(result: JsonObject, bytes: number, ttlMs: number): void;
  /** False once what its server answered was forgotten: its result is for nobody who asks now. */
  holds(): boolean;
  end(): void;
}

interface Entry extends Owner {
  /** Of the call that it came of: a later one has a higher number. */
  readonly call: number;
  readonly result: JsonObject;
  readonly bytes: number;
  readonly ttlMs: number;
  readonly at: number;
}

const MAX_BYTES = 64 * 1024 * 1024;
/** What an entry takes beside its result: its key, and its place in the table. */
const ENTRY_BYTES = 500;

export function createResultCache(now: () => number, maxBytes = MAX_BYTES): ResultCache {
  /** The one that was not used for longest first. */
  const entries = new Map<string, Entry>();
  const underWay = new Set<Owner>();
  let begun = 0;
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
    begin: (key, { serverId, holder }) => {
      const owner = { serverId, holder };
      const call = ++begun;
      underWay.add(owner);
      return {
        keep: (result, resultBytes, ttlMs) => {
          if (!underWay.has(owner) || (entries.get(key)?.call ?? 0) > call) return;
          drop(key);
          const size = resultBytes + ENTRY_BYTES;
          if (size > maxBytes || ttlMs <= 0) return;
          entries.set(key, { ...owner, call, result, bytes: size, ttlMs, at: now() });
          bytes += size;
          for (const oldest of entries.keys()) {
            if (bytes <= maxBytes) break;
            drop(oldest);
          }
        },
        holds: () => underWay.has(owner),
        end: () => void underWay.delete(owner),
      };
    },
    forget: (serverId, holder) => {
      const isMeant = (owner: Owner): boolean =>
        (serverId === undefined || owner.serverId === serverId) &&
        (holder === undefined || owner.holder === undefined || owner.holder === holder);
      for (const [key, entry] of entries) if (isMeant(entry)) drop(key);
      for (const owner of underWay) if (isMeant(owner)) underWay.delete(owner);
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
