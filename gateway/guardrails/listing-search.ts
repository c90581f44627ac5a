import { hash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { JsonObject } from '../contract/json.ts';
import { createLook, TOO_DEEP, type ListedKind, type Look, type Verdict } from './listed.ts';
import type { TextWorkers } from './workers.ts';

/**
 * The search of what servers list for prompt injection. A list of up to 32,000 characters, as JSON, is searched at once;
 * of a longer one the gateway's thread only takes hashes, a little at a time, and another thread searches it. That is when
 * a list is read, before it takes the place of the one before, so that none is shown unsearched and none is missing
 * meanwhile. What could not be searched, since the thread broke or took too long, counts as not searched, and whoever
 * shows lists shows nothing of it. What was searched is known by the identity of the item, and what is clean by its text
 * as well: a list that is read again unchanged costs its hashes.
 */
export interface ListingSearch {
  /** Definitions, each with what was found in it. Rejects when not all of them could be searched. */
  definitions<T extends { readonly content: JsonObject }>(
    all: readonly T[],
  ): Promise<readonly (T & Pick<Verdict, 'found'>)[]>;
  /** Searches resources for `shown`; undefined when that is done at once. Rejects when not all could be searched. */
  resources(items: readonly JsonObject[]): Promise<void> | undefined;
  /** What may be shown of each resource; undefined for one that was not searched, and is more than what is at once. */
  shown(items: readonly JsonObject[]): readonly (Verdict | undefined)[];
}

/** So many characters are searched at once: what a server lists, mostly, in some 20 ms. */
const AT_ONCE = 32 * 1024;
/** More is asked of the thread piece by piece: lists of several servers take turns, and what is done is done. */
const PIECE = 256 * 1024;
/** A piece that takes longer is broken off (ms). The rules take time linear in the text. */
const PIECE_MS = 10_000;
/** So long the search of one list may take (ms). */
const WHOLE_MS = 30_000;
/** Texts that are known to be clean, of each kind; beyond, the longest unseen are searched again. */
const MOST_CLEAN = 20_000;

export function createListingSearch(workers: Pick<TextWorkers, 'search'>): ListingSearch {
  const look = createLook();
  const definitions = createMemory('definition', look, workers);
  const resources = createMemory('resource', look, workers);
  return {
    definitions: async (all) => {
      const contents = all.map(({ content }) => content);
      await definitions.search(contents);
      const verdicts = definitions.known(contents);
      return all.map((one, at) => ({ ...one, found: (verdicts[at] ?? NOT_SEARCHED).found }));
    },
    resources: resources.search,
    shown: (items) => {
      resources.searchLittle(items);
      return resources.known(items);
    },
  };
}

const NOT_SEARCHED: Verdict = { found: ['text that was not searched'], shown: undefined };

/** An item that is to be searched. */
interface Unknown {
  readonly item: JsonObject;
  /** As JSON. */
  readonly text: string;
  readonly key: string;
}

/** What is known of one kind. */
interface Memory {
  known(items: readonly JsonObject[]): readonly (Verdict | undefined)[];
  /** Undefined when it was done at once. */
  search(items: readonly JsonObject[]): Promise<void> | undefined;
  /** Searches what is little and leaves what is much. */
  searchLittle(items: readonly JsonObject[]): void;
}

function createMemory(kind: ListedKind, look: Look, workers: Pick<TextWorkers, 'search'>): Memory {
  const verdicts = new WeakMap<JsonObject, Verdict>();
  const clean = createKeys();
  const put = ({ item, key }: Unknown, verdict: Verdict): void => {
    verdicts.set(item, verdict);
    if (verdict.found.length === 0 && verdict.shown === item) clean.add(key);
  };
  const lookAt = (left: readonly Unknown[]): void => {
    for (const one of left) put(one, look(kind, one.item));
  };
  /** Reads on from an item until there is as much as may be at once; `next` is where it stopped. */
  const read = (
    items: readonly JsonObject[],
    from: number,
  ): { left: Unknown[]; next: number; all: boolean } => {
    const left: Unknown[] = [];
    let room = AT_ONCE;
    let next = from;
    for (; next < items.length && room >= 0; next++) {
      const item = items[next];
      if (item === undefined || verdicts.has(item)) continue;
      const text = written(item);
      const key = hash('sha256', text ?? '', 'base64');
      if (text === undefined) verdicts.set(item, TOO_DEEP);
      else if (clean.has(key)) verdicts.set(item, { found: [], shown: item });
      else left.push({ item, text, key });
      room -= text?.length ?? 0;
    }
    return { left, next, all: next === items.length && room >= 0 };
  };
  const elsewhere = async (left: readonly Unknown[]): Promise<void> => {
    const until = performance.now() + WHOLE_MS;
    for (const piece of piecesOf(left)) {
      const timeout = Math.min(PIECE_MS, Math.max(1, Math.round(until - performance.now())));
      const texts = piece.map(({ text }) => text);
      const found = await workers.search(kind, texts, timeout);
      piece.forEach((one, at) => put(one, found[at] ?? { found: [], shown: one.item }));
    }
  };
  const searchMuch = async (
    items: readonly JsonObject[],
    { left, next }: ReturnType<typeof read>,
  ): Promise<void> => {
    for (let at = next; at < items.length;) {
      await turn();
      const more = read(items, at);
      left.push(...more.left);
      at = more.next;
    }
    if (left.reduce((sum, { text }) => sum + text.length, 0) > AT_ONCE) await elsewhere(left);
    else lookAt(left);
  };
  return {
    known: (items) => items.map((item) => verdicts.get(item)),
    search: (items) => {
      const first = read(items, 0);
      if (!first.all)
        return searchMuch(items, first).catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          throw new Error(`it could not be searched for prompt injection: ${why}`, { cause: error });
        });
      lookAt(first.left);
      return undefined;
    },
    searchLittle: (items) => {
      const { left, all } = read(items, 0);
      if (all) lookAt(left);
    },
  };
}

/** Undefined for what is nested too deep. */
function written(item: JsonObject): string | undefined {
  try {
    return JSON.stringify(item);
  } catch {
    return undefined;
  }
}

function piecesOf(left: readonly Unknown[]): Unknown[][] {
  const pieces: Unknown[][] = [];
  let room = 0;
  for (const one of left) {
    room -= one.text.length;
    const last = pieces.at(-1);
    if (last !== undefined && room >= 0) {
      last.push(one);
      continue;
    }
    pieces.push([one]);
    room = PIECE - one.text.length;
  }
  return pieces;
}

/** A set with a bound, of which the longest unused go first. */
function createKeys(): { has(key: string): boolean; add(key: string): void } {
  const keys = new Set<string>();
  const add = (key: string): void => {
    keys.delete(key);
    keys.add(key);
    if (keys.size <= MOST_CLEAN) return;
    for (const oldest of keys) {
      keys.delete(oldest);
      return;
    }
  };
  return {
    has: (key) => {
      if (!keys.has(key)) return false;
      add(key);
      return true;
    },
    add,
  };
}
