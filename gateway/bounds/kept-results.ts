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
/** Characters of all that is kept; the oldest make room. */
const MAX_CHARS = 128 * 1024 * 1024;

export function createKeptResults(now: () => number): KeptResults {
  /** The oldest first. */
  const results = new Map<string, { readonly result: KeptResult; readonly until: number }>();
  let chars = 0;
  const drop = (reference: string): void => {
    chars -= results.get(reference)?.result.text.length ?? 0;
    results.delete(reference);
  };
  return {
    keep: (result) => {
      if (result.text.length > MAX_CHARS) return undefined;
      const reference = `res_${randomBytes(16).toString('hex')}`;
      results.set(reference, { result, until: now() + KEPT_MS });
      chars += result.text.length;
      for (const [known, { until }] of results) {
        if (chars <= MAX_CHARS && until > now()) break;
        drop(known);
      }
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
