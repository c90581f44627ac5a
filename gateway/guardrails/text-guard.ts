import type { CompiledPattern } from '../access/patterns.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import { countByEntity, isMark, markOf, NOTHING, type Detector, type Finding } from './detect/finding.ts';
import { createHiddenTextDetector, reveal } from './detect/hidden-text.ts';
import { createInjectionDetector, INJECTION_REACH } from './detect/injection.ts';
import { MARK } from './detect/injection-tokens.ts';
import { createPiiDetector } from './detect/pii.ts';
import { secretNamed } from './detect/secrets-assigned.ts';
import { createSecretDetector } from './detect/secrets.ts';
import { SENTENCE_REACH } from './detect/unsafe-sentences.ts';
import { createUnsafeDetector } from './detect/unsafe.ts';
import { PASS, type Subject, type TextGuard, type Verdict } from './guard.ts';
import { gatherTexts, placeOf, withTexts, type Wanted } from './texts.ts';

type Replace = NonNullable<TextGuard['replace']>;

/** The shortest number that says anything about a person, or is a secret. */
const SHORTEST_NUMBER = 8;

/** What finds and replaces in a text, of the kinds that look at texts one by one; undefined of the others. */
export function textGuardOf(
  config: GuardrailConfig,
  patterns: readonly CompiledPattern[] = [],
): TextGuard | undefined {
  const guard = (
    detect: Detector,
    numbers: number,
    replace: Replace = (_found, entity) => markOf(entity),
  ) => ({
    detect: remembering(detect),
    numbers,
    replace: config.operation === 'mutate' ? replace : undefined,
  });
  switch (config.kind) {
    case 'pii':
      return guard(createPiiDetector(config.entities), SHORTEST_NUMBER);
    case 'secrets':
      return {
        ...guard(createSecretDetector({ entropy: config.entropy }), SHORTEST_NUMBER),
        named: (name) => secretNamed(name) !== undefined,
      };
    case 'hidden-text':
      return guard(createHiddenTextDetector(), Infinity, remembered(reveal));
    case 'unsafe-content':
      return { ...guard(createUnsafeDetector(config), Infinity), context: SENTENCE_REACH };
    case 'injection':
      return {
        ...guard(createInjectionDetector(), Infinity, () => MARK),
        context: INJECTION_REACH,
        onlyTools: true,
      };
    case 'regex':
      return guard(createPatternDetector(patterns, config.name), 1, (_found, entity) => {
        const index = Number(entity.slice(entity.lastIndexOf(' ') + 1));
        return patterns[index]?.replace ?? markOf(config.name);
      });
    default:
      return undefined;
  }
}

/** Short texts, keys above all, come again and again: those in which nothing was found are not looked at twice. */
const SHORT = 32;
const REMEMBERED = 4_096;

function remembering(detect: Detector): Detector {
  const clean = new Set<string>();
  return (text) => {
    if (text.length > SHORT) return detect(text);
    if (clean.has(text)) return NOTHING;
    const found = detect(text);
    if (found.length > 0) return found;
    if (clean.size >= REMEMBERED) clean.clear();
    clean.add(text);
    return NOTHING;
  };
}

/** The same few runs of characters nobody sees stand between all letters of a text. */
function remembered(show: (found: string) => string): Replace {
  const known = new Map<string, string>();
  return (found) => {
    if (found.length > SHORT) return show(found);
    const before = known.get(found);
    if (before !== undefined) return before;
    if (known.size >= REMEMBERED) known.clear();
    const shown = show(found);
    known.set(found, shown);
    return shown;
  };
}

/** Finds what patterns match; the entity ends with the number of the pattern. */
function createPatternDetector(patterns: readonly CompiledPattern[], name: string): Detector {
  return (text) => {
    const found: Finding[] = [];
    patterns.forEach(({ expression }, index) => {
      const matcher = expression.matcher(text);
      for (let from = 0; from <= text.length && matcher.find(from);) {
        const [start, end] = [matcher.start(), matcher.end()];
        if (end > start && !isMark(text.slice(start, end)))
          found.push({ start, end, entity: `${name} ${index}` });
        from = Math.max(end, start + 1);
      }
    });
    if (found.length < 2) return found;
    let last = 0;
    return found
      .toSorted((a, b) => a.start - b.start || b.end - a.end)
      .filter(({ start, end }) => {
        if (start < last) return false;
        last = end;
        return true;
      });
  };
}

/** What became of the texts of a value. `found` has counts by kind, never what was found. */
export type Judged =
  | { readonly is: 'clean' }
  | { readonly is: 'found'; readonly at: number; readonly found: string }
  | { readonly is: 'changed'; readonly changed: ReadonlyMap<number, string>; readonly found: string };

const CLEAN: Judged = { is: 'clean' };

/** Looks at texts, and finds the first of them that is to be refused, or replaces in all of them. */
export function judgeTexts({ detect, replace }: TextGuard, texts: readonly string[]): Judged {
  let changed: Map<number, string> | undefined;
  const all: Finding[] = [];
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at] ?? '';
    if (replace === undefined) {
      const found = detect(text);
      if (found.length > 0) return { is: 'found', at, found: inWords(found) };
      continue;
    }
    const made = replaceAll(text, detect, replace, all);
    if (made !== text) (changed ??= new Map<number, string>()).set(at, made);
  }
  return changed === undefined ? CLEAN : { is: 'changed', changed, found: inWords(all) };
}

/** Values with more characters are looked at on another thread, so that the gateway goes on meanwhile. */
const LARGE = 16 * 1024;

/** Looks at every text of a value, keys and numbers included, and refuses or replaces. */
export function checkTexts(
  guard: TextGuard,
  name: string,
  { hook, value }: Pick<Subject, 'hook' | 'value'>,
  judgeLarge: (texts: readonly string[]) => Judged | Promise<Judged>,
): Verdict | Promise<Verdict> {
  const wanted: Wanted = {
    ...{ numbers: guard.numbers, hook, named: guard.named },
    onlyTools: guard.onlyTools === true,
  };
  const { texts, chars } = gatherTexts(value, wanted);
  const judged = chars > LARGE ? judgeLarge(texts) : judgeTexts(guard, texts);
  const verdict = (known: Judged): Verdict => {
    if (known.is === 'clean') return PASS;
    if (known.is === 'changed')
      return {
        is: 'change',
        value: withTexts(value, wanted, known.changed),
        words: `${name} replaced ${known.found}`,
      };
    return { is: 'block', words: `${name} found ${known.found} at ${placeOf(value, wanted, known.at)}` };
  };
  return judged instanceof Promise ? judged.then(verdict) : verdict(judged);
}

/** How often a text is looked at again: what stood beside a mark may now be found. */
const PASSES = 8;

export function replaceAll(text: string, detect: Detector, replace: Replace, all: Finding[] = []): string {
  let current = text;
  for (let pass = 0; pass < PASSES; pass++) {
    const seen = detect(current);
    if (seen.length === 0) return current;
    const found = seen.filter(
      ({ start, end }) => current.charAt(start) !== '[' || !isMark(current.slice(start, end)),
    );
    if (found.length === 0) return current;
    const made = replaceFound(current, found, replace);
    for (const one of found) all.push(one);
    if (made === current) return current;
    current = made;
  }
  return current;
}

/** The text with what was found, in order, replaced. */
export function replaceFound(text: string, found: readonly Finding[], replace: Replace): string {
  let made = '';
  let from = 0;
  for (const { start, end, entity } of found) {
    made += text.slice(from, start) + replace(text.slice(start, end), entity);
    from = end;
  }
  return made + text.slice(from);
}

/** `2 email, 1 phone`. */
export function inWords(found: readonly Finding[]): string {
  const named = new Map<string, number>();
  for (const [entity, count] of Object.entries(countByEntity(found))) {
    const name = entity.replace(/ \d+$/, '');
    named.set(name, (named.get(name) ?? 0) + count);
  }
  return Array.from(named, ([name, count]) => `${count} ${name}`).join(', ');
}
