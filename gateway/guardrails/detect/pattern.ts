import type { Finding } from './finding.ts';

/** Something to look for. `pattern` is global; each match costs it time linear in a bounded piece of the text. */
export interface Pattern {
  readonly entity: string;
  readonly pattern: RegExp;
  /** The group that is the finding, the whole match without it; needs the flag `d`. */
  readonly group?: number;
  /** The text can only match where it holds one of these. */
  readonly hints?: readonly string[];
  /** What a match has to hold besides. */
  readonly check?: (match: string, at: number, text: string) => boolean;
}

/** Adds the pattern's matches in the text to `found`. */
export function addMatches(found: Finding[], text: string, wanted: Pattern): void {
  const { entity, pattern, group = 0, hints, check } = wanted;
  if (hints !== undefined && !hints.some((hint) => text.includes(hint))) return;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const start = group === 0 ? match.index : match.indices?.[group]?.[0];
    const value = match[group];
    if (start !== undefined && value !== undefined && (check === undefined || check(value, start, text)))
      found.push({ start, end: start + value.length, entity });
    // A refused match may hide one that begins inside it, just after its label.
    if (match[0] === '') pattern.lastIndex++;
  }
}

/** The digits of a text without what separates them. */
export function digitsOf(text: string): string {
  return text.replace(/\D+/g, '');
}
