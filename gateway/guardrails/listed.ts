import type { JsonObject } from '../contract/json.ts';
import { createDefinitionCheck, mapProse } from './definition.ts';
import { reveal } from './detect/hidden-text.ts';

/** What servers list: definitions, which people review, and resources with templates of them, which nobody does. */
export type ListedKind = 'definition' | 'resource';

/** What the search of one thing came to. */
export interface Verdict {
  /** What looks like prompt injection, e.g. `secrecy in description`. */
  readonly found: readonly string[];
  /** What may be shown of it: the very same object where that is all, undefined where it is nothing. */
  readonly shown: JsonObject | undefined;
}

/** In place of words of a resource that look like prompt injection. */
const WITHHELD = '[withheld by Toolgate]';
/** A resource's name is there to be read: it is addressed by its URI. */
const ALSO_READ = ['name'];

/** What cannot be walked through, or written down, for being nested too deep. */
export const TOO_DEEP: Verdict = { found: ['nesting that cannot be looked through'], shown: undefined };

export type Look = (kind: ListedKind, item: JsonObject) => Verdict;

/**
 * Searches one thing that a server lists for prompt injection. Of a definition nothing may be shown where something is
 * found, until a person has accepted it. Of a resource words that are there to be read are withheld by themselves, and all
 * of it where something is found elsewhere, such as in its address; text in it that nobody sees is made visible.
 */
export function createLook(): Look {
  const check = createDefinitionCheck();
  const ofDefinition = (content: JsonObject): Verdict => {
    const found = check(content);
    return { found, shown: found.length === 0 ? content : undefined };
  };
  const ofResource = (own: JsonObject): Verdict => {
    const read = mapProse(own, reveal, ALSO_READ);
    const found = check(read);
    if (found.length === 0) return { found, shown: read };
    const shown = mapProse(read, (text) => (check({ text }).length > 0 ? WITHHELD : text), ALSO_READ);
    const left = check(shown);
    return left.length === 0 ? { found, shown } : { found: left, shown: undefined };
  };
  return (kind, item) => {
    try {
      return kind === 'definition' ? ofDefinition(item) : ofResource(item);
    } catch (error) {
      if (error instanceof RangeError) return TOO_DEEP;
      throw error;
    }
  };
}
