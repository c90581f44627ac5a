import type { GuardrailPolicy } from '../access/policies.ts';
import { countByEntity, mapStrings, strings } from './detect/text-walk.ts';
import { isMark, markOf, type Detector, type Finding } from './detect/finding.ts';
import { createHiddenTextDetector, reveal } from './detect/hidden-text.ts';
import { createInjectionDetector, INJECTION_REACH } from './detect/injection.ts';
import { MARK } from './detect/injection-tokens.ts';
import { createPiiDetector } from './detect/pii.ts';
import { createSecretDetector } from './detect/secrets.ts';
import { PASS, type TextGuard, type Verdict } from './guard.ts';

type Patterns = NonNullable<GuardrailPolicy['patterns']>;

/** What finds and replaces in a text, of the kinds that look at texts one by one; undefined of the others. */
export function textGuardOf({ policy, patterns = [] }: GuardrailPolicy): TextGuard | undefined {
  switch (policy.kind) {
    case 'pii':
      return textGuard(createPiiDetector(policy.entities), policy.operation, (_found, entity) =>
        markOf(entity),
      );
    case 'secrets':
      return textGuard(
        createSecretDetector({ entropy: policy.entropy }),
        policy.operation,
        (_found, entity) => markOf(entity),
      );
    case 'hidden-text':
      return textGuard(createHiddenTextDetector(), policy.operation, reveal);
    case 'injection':
      return {
        ...textGuard(createInjectionDetector(), policy.operation, () => MARK),
        context: INJECTION_REACH,
      };
    case 'regex':
      return textGuard(createPatternDetector(patterns, policy.name), policy.operation, (_found, entity) => {
        const index = Number(entity.slice(entity.lastIndexOf(' ') + 1));
        return patterns[index]?.replace ?? markOf(policy.name);
      });
    default:
      return undefined;
  }
}

function textGuard(
  detect: Detector,
  operation: 'validate' | 'mutate',
  replace: NonNullable<TextGuard['replace']>,
): TextGuard {
  return { detect, replace: operation === 'mutate' ? replace : undefined };
}

/** Finds what patterns match; the entity ends with the number of the pattern. */
function createPatternDetector(patterns: Patterns, name: string): Detector {
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

/** Binary content, as MCP carries it, is no text. */
const BINARY = /(?:^|\.)(?:data|blob)$/;

/** Looks at every text of a value that stands at a place to look at, and refuses or replaces. */
export function checkTexts(
  { detect, replace }: TextGuard,
  name: string,
  value: unknown,
  isLookedAt: (path: string) => boolean = () => true,
): Verdict {
  const isSkipped = (path: string): boolean => BINARY.test(path) || !isLookedAt(path);
  if (replace === undefined) {
    for (const { text, path } of strings(value)) {
      const found = isSkipped(path) ? [] : detect(text);
      if (found.length > 0)
        return { is: 'block', words: `${name} found ${inWords(found)} at ${path || 'the text'}` };
    }
    return PASS;
  }
  const all: Finding[] = [];
  const changed = mapStrings(value, (text, path) => {
    if (isSkipped(path)) return text;
    return replaceAll(text, detect, replace, all);
  });
  return changed === value
    ? PASS
    : { is: 'change', value: changed, words: `${name} replaced ${inWords(all)}` };
}

/** How often a text is looked at again: what stood beside a mark may now be found. */
const PASSES = 8;

export function replaceAll(
  text: string,
  detect: Detector,
  replace: NonNullable<TextGuard['replace']>,
  all: Finding[] = [],
): string {
  let current = text;
  for (let pass = 0; pass < PASSES; pass++) {
    const found = detect(current).filter(({ start, end }) => !isMark(current.slice(start, end)));
    if (found.length === 0) return current;
    const made = replaceFound(current, found, replace);
    all.push(...found);
    if (made === current) return current;
    current = made;
  }
  return current;
}

/** The text with what was found, in order, replaced. */
export function replaceFound(
  text: string,
  found: readonly Finding[],
  replace: NonNullable<TextGuard['replace']>,
): string {
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
  return Object.entries(
    countByEntity(found.map((one) => ({ ...one, entity: one.entity.replace(/ \d+$/, '') }))),
  )
    .map(([entity, count]) => `${count} ${entity}`)
    .join(', ');
}
