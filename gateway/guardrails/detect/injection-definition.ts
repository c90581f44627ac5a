import type { JsonObject } from '../../contract/json.ts';
import { createInjectionDetector } from './injection.ts';
import { strings } from './text-walk.ts';

/**
 * Says what of a tool's or prompt's definition looks like an injection, e.g. `secrecy in description`: the kind, and
 * the field of the definition. No word of the definition itself is in it.
 */
export function createDefinitionCheck(): (content: JsonObject) => readonly string[] {
  const detect = createInjectionDetector();
  return (content) => {
    const found = new Set<string>();
    for (const [field, value] of Object.entries(content))
      for (const { text } of strings(value))
        for (const { entity } of detect(text)) found.add(`${entity} in ${field}`);
    return [...found];
  };
}
