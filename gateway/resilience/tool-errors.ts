import type { ToolErrorTerms } from '../config/policies/resilience.ts';

/**
 * Keeps a caller from a tool that fails for them again and again: a model that repeats its mistake costs everybody's
 * time. Nobody else is kept from it, since it may be the caller's doing.
 */
export interface ToolErrors {
  /** For how much longer, in ms; undefined when the caller may call. */
  blocked(key: string): number | undefined;
  failed(key: string, terms: ToolErrorTerms): void;
  /** The tool has answered well. */
  succeeded(key: string): void;
}

interface Record {
  /** The newest last. */
  readonly at: number[];
  until: number;
}

/** Callers remembered; the one that failed longest ago makes room. */
const MAX_CALLERS = 10_000;

export function createToolErrors(now: () => number): ToolErrors {
  const records = new Map<string, Record>();
  return {
    blocked: (key) => {
      const until = records.get(key)?.until ?? 0;
      return until > now() ? until - now() : undefined;
    },
    failed: (key, { failures, window, cooldown }) => {
      const record = records.get(key) ?? { at: [], until: 0 };
      records.delete(key);
      const [oldest] = records.keys();
      if (records.size >= MAX_CALLERS && oldest !== undefined) records.delete(oldest);
      records.set(key, record);
      const from = now() - window;
      while (record.at[0] !== undefined && record.at[0] <= from) record.at.shift();
      record.at.push(now());
      if (record.at.length < failures) return;
      record.until = now() + cooldown;
      record.at.length = 0;
    },
    succeeded: (key) => void records.delete(key),
  };
}
