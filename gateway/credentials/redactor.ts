import type { ReferenceKind, ReferenceSource } from '../config/references.ts';

/** Takes the secrets that this process has used out of what others say. */
export interface Redactor {
  /** The same source, whose values are known from then on. */
  watch(source: ReferenceSource): ReferenceSource;
  /** Makes a value known: it is written as `[label]`. */
  add(value: string, label: string): void;
  /** The text with every known value, as it is or as JSON, a URL or Base64 writes it, replaced by its label. */
  redact(text: string): string;
}

/** Shorter values would be found in words that have nothing to do with them. */
const MIN_LENGTH = 6;
/** Values of the past are kept, since a process that was given them may still say them; the oldest go first. */
const MAX_VALUES = 20_000;

export function createRedactor(): Redactor {
  const labels = new Map<string, string>();
  let longestFirst: readonly string[] | undefined;
  const add = (value: string, label: string): void => {
    if (value.length < MIN_LENGTH || labels.has(value)) return;
    for (const spelling of spellings(value)) labels.set(spelling, `[${label}]`);
    for (const oldest of labels.keys()) {
      if (labels.size <= MAX_VALUES) break;
      labels.delete(oldest);
    }
    longestFirst = undefined;
  };
  return {
    add,
    watch: (source) => (kind, name) => {
      const value = source(kind, name);
      if (value !== undefined && isSecret(kind, value)) add(value, `${kind} ${name}`);
      return value;
    },
    redact: (text) => {
      longestFirst ??= [...labels.keys()].sort((a, b) => b.length - a.length);
      let redacted = text;
      for (const value of longestFirst) {
        if (redacted.includes(value)) redacted = redacted.replaceAll(value, () => labels.get(value) ?? '');
      }
      return redacted;
    },
  };
}

function spellings(value: string): Set<string> {
  const inJson = JSON.stringify(value).slice(1, -1);
  return new Set([value, inJson, encodeURIComponent(value), Buffer.from(value).toString('base64')]);
}

/** Variables of the environment also say where things are; a path or an address without a password is no secret. */
function isSecret(kind: ReferenceKind, value: string): boolean {
  return kind !== 'env' || !/^(\.{0,2}[/\\]|[A-Za-z]:\\|[a-z]+:\/\/[^@]*$)/.test(value);
}
