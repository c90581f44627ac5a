import type { JsonObject } from '../contract/json.ts';
import { createHiddenTextDetector, reveal } from './detect/hidden-text.ts';
import { createInjectionDetector } from './detect/injection.ts';
import { eachText, mapStrings, type Place } from './texts.ts';

/** Longer texts without a blank are data, not words put together. */
const LONGEST_NAME = 200;

/**
 * Says what of a definition looks like an injection, e.g. `secrecy in description`: the kind, and the field of the
 * definition. No word of the definition itself is in it. Keys and the values of enumerations are looked at as well, and
 * text that nobody sees is found where it cannot be shown otherwise than it is. What is nested too deep to be looked
 * through is found.
 */
export function createDefinitionCheck(): (content: JsonObject) => readonly string[] {
  const detect = createInjectionDetector();
  const hidden = createHiddenTextDetector();
  return (content) => {
    const found = new Set<string>();
    // A schema has the same few keys over and over.
    const clean = new Set<string>();
    const look = (text: string, place: Place, isKey: boolean): void => {
      if (clean.has(text)) return;
      const field = String(place[0] ?? 'a key');
      const findings = [...detect(text), ...detectInName(text)];
      for (const { entity } of findings) found.add(`${entity} in ${field}`);
      const unseen = (isKey || !isProse(place)) && hidden(text).length > 0;
      if (unseen) found.add(`hidden text in ${field}`);
      if (isKey && !unseen && findings.length === 0) clean.add(text);
    };
    const detectInName = (text: string): ReturnType<typeof detect> => {
      const words = wordsOf(text);
      return words === text ? [] : detect(words);
    };
    try {
      eachText(content, look);
    } catch {
      found.add('nesting that cannot be looked through');
    }
    return [...found];
  };
}

/** The definition with the text that nobody sees, in what people and models read of it, made visible. */
export function visible<T extends JsonObject>(definition: T): T {
  return mapProse(definition, reveal);
}

/** Applies `map` to what of a definition is there to be read, and stands for nothing else. */
export function mapProse<T extends JsonObject>(
  definition: T,
  map: (text: string) => string,
  also: readonly string[] = [],
): T {
  return mapStrings(definition, (text, place) => {
    const named = place.length === 1 && also.includes(String(place[0]));
    return named || isProse(place) ? map(text) : text;
  }) as T;
}

/** A definition's words for whoever reads it; instructions are `text`. Names and values are sent as they are. */
function isProse(place: Place): boolean {
  const last = place.at(-1);
  return last === 'description' || last === 'title' || (last === 'text' && place.length === 1);
}

/** A name's words: `ignoreAll_previous-instructions` has four. */
function wordsOf(text: string): string {
  if (text.length > LONGEST_NAME || /\s/.test(text)) return text;
  return text.replace(/([a-z])(?=[A-Z])/g, '$1 ').replace(/[^\p{L}\p{N}'<>|[\]]+/gu, ' ');
}
