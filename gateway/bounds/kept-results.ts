import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../contract/json.ts';

/** A result that is read page by page, and the call it came of. */
export interface KeptResult {
  readonly subject: string;
  readonly serverId: string;
  readonly tool: string;
  /** As the caller gave them. */
  readonly arguments: JsonObject;
  readonly text: string;
  /** Where each page of it ends. */
  readonly ends: readonly number[];
}

/** Results too large for one answer, kept for a while for the one who called. In memory: a restart forgets them. */
export interface KeptResults {
  /** Its reference; undefined when it is too large to be kept. */
  keep(result: KeptResult): string | undefined;
  /** The caller's own. */
  find(reference: string, subject: string): KeptResult | undefined;
}

const KEPT_MS = 10 * 60_000;
/** Characters of all that is kept, arguments as well; the oldest of whoever has most make room, so that others keep theirs. */
const MAX_CHARS = 128 * 1024 * 1024;
/** What one takes beside its texts. */
const ENTRY_CHARS = 500;

interface Entry {
  readonly result: KeptResult;
  readonly chars: number;
  readonly until: number;
}

export function createKeptResults(now: () => number): KeptResults {
  /** The oldest first. */
  const results = new Map<string, Entry>();
  /** By subject. */
  const held = new Map<string, number>();
  let all = 0;
  const count = ({ subject }: KeptResult, chars: number): void => {
    all += chars;
    const left = (held.get(subject) ?? 0) + chars;
    if (left > 0) held.set(subject, left);
    else held.delete(subject);
  };
  const drop = (reference: string): void => {
    const entry = results.get(reference);
    results.delete(reference);
    if (entry !== undefined) count(entry.result, -entry.chars);
  };
  const oldestOf = (subject: string): string | undefined => {
    for (const [reference, { result }] of results) if (result.subject === subject) return reference;
    return undefined;
  };
  const makeRoom = (chars: number): void => {
    for (const [reference, { until }] of results) {
      if (until > now()) break;
      drop(reference);
    }
    while (all + chars > MAX_CHARS) {
      const [most] = [...held].reduce((one, other) => (other[1] > one[1] ? other : one), ['', 0]);
      const oldest = oldestOf(most);
      if (oldest === undefined) return;
      drop(oldest);
    }
  };
  return {
    keep: (result) => {
      const chars = charsOf(result);
      if (chars > MAX_CHARS) return undefined;
      makeRoom(chars);
      const reference = `res_${randomBytes(16).toString('hex')}`;
      results.set(reference, { result, chars, until: now() + KEPT_MS });
      count(result, chars);
      return reference;
    },
    find: (reference, subject) => {
      const known = results.get(reference);
      if (known?.result.subject !== subject) return undefined;
      if (known.until > now()) return known.result;
      drop(reference);
      return undefined;
    },
  };
}

function charsOf({ text, ends, arguments: args }: KeptResult): number {
  return text.length + JSON.stringify(args).length + 8 * ends.length + ENTRY_CHARS;
}
