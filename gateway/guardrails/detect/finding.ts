/** One thing found in a text. Offsets are UTF-16 units; `end` is exclusive. */
export interface Finding {
  readonly start: number;
  readonly end: number;
  /** What it is, e.g. `email`, `aws-access-key`. */
  readonly entity: string;
}

/**
 * Finds in a text; the findings are in order and do not overlap. Takes time linear in the text, whatever the text is.
 * One detector is for one thread of control: it may keep the state of its patterns between the steps of one call.
 */
export type Detector = (text: string) => readonly Finding[];

/** What a detector answers when there is nothing, so that a clean text allocates nothing. */
export const NOTHING: readonly Finding[] = Object.freeze([]);

const MARK = /^\[[A-Z][A-Z0-9_]*\]$/;
/** How often a text that changes by being masked is looked at again. */
const PASSES = 8;

/** The mark that stands for a finding: `credit-card` and `creditCard` give `[CREDIT_CARD]`. */
export function markOf(entity: string): string {
  const words = entity.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_');
  return `[${words.toUpperCase()}]`;
}

/** True when a text is such a mark, which no detector finds. */
export function isMark(text: string): boolean {
  return MARK.test(text);
}

/** The text with each finding replaced by its mark. The findings are in order and do not overlap. */
export function mask(text: string, findings: readonly Finding[]): string {
  let masked = '';
  let from = 0;
  for (const { start, end, entity } of findings) {
    if (isMark(text.slice(start, end))) continue;
    masked += text.slice(from, start) + markOf(entity);
    from = end;
  }
  return from === 0 ? text : masked + text.slice(from);
}

/**
 * The text with all that the detector finds masked, and how many of each entity there were. A mark can set free what
 * stood right beside the masked, so that the result is looked at again: masking it once more changes nothing.
 */
export function maskAll(text: string, detect: Detector): { text: string; found: readonly Finding[] } {
  const found = detect(text);
  if (found.length === 0) return { text, found };
  const all = [...found];
  let masked = mask(text, found);
  for (let pass = 1; pass < PASSES; pass++) {
    const more = detect(masked);
    if (more.length === 0) break;
    for (const one of more) all.push(one);
    masked = mask(masked, more);
  }
  return { text: masked, found: all };
}

/**
 * The findings of several detectors as one list in order. Those that overlap become one that covers them all, so that
 * no end of a shorter one stays behind, and that has the longest one's entity.
 */
export function merge(...lists: readonly (readonly Finding[])[]): readonly Finding[] {
  const full = lists.filter(({ length }) => length > 0);
  if (full.length === 0) return NOTHING;
  if (full.length === 1 && full[0] !== undefined && inOrder(full[0])) return full[0];
  const sorted = full.flat().sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Finding[] = [];
  let longest = 0;
  for (const finding of sorted) {
    const last = merged.at(-1);
    const length = finding.end - finding.start;
    if (last === undefined || finding.start >= last.end) {
      merged.push(finding);
      longest = length;
    } else {
      const { entity } = length > longest ? finding : last;
      longest = Math.max(longest, length);
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, finding.end), entity };
    }
  }
  return merged;
}

/** One detector of several. */
export function allOf(...detectors: readonly Detector[]): Detector {
  return (text) => merge(...detectors.map((detect) => detect(text)));
}

/** How many of each entity: what a record may say of findings, since it holds nothing of what was found. */
export function countByEntity(findings: readonly Finding[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { entity } of findings) counts[entity] = (counts[entity] ?? 0) + 1;
  return counts;
}

function inOrder(findings: readonly Finding[]): boolean {
  return findings.every(({ start }, at) => at === 0 || start >= (findings[at - 1]?.end ?? 0));
}
