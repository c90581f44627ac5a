import type { DefinitionCheck } from './definition.ts';
import type { Listed } from './entry.ts';
import { mapProse } from '../guardrails/definition.ts';
import { reveal } from '../guardrails/detect/hidden-text.ts';

/** In place of words of a resource that look like prompt injection. */
const WITHHELD = '[withheld by Toolgate]';
/** A resource's name is there to be read: it is addressed by its URI. */
const ALSO_READ = ['name'];
/** Warnings of one list. */
const MOST_WARNINGS = 20;

export interface ShownResources {
  readonly items: readonly Listed[];
  readonly warnings: readonly string[];
}

/**
 * Resources, or templates of them, as they are shown. Nobody reviews them, and so what looks like prompt injection is
 * withheld: words that are there to be read by themselves, and all of a resource that has it elsewhere, such as in its
 * address. Text that nobody sees is made visible. One list is looked through once.
 */
export function createShownResources(check: DefinitionCheck): (listed: readonly Listed[]) => ShownResources {
  const known = new WeakMap<readonly Listed[], ShownResources>();
  return (listed) => {
    let shown = known.get(listed);
    if (shown === undefined) known.set(listed, (shown = shownResources(listed, check)));
    return shown;
  };
}

function shownResources(listed: readonly Listed[], check: DefinitionCheck): ShownResources {
  const warnings: string[] = [];
  const items = listed.flatMap((own) => {
    const read = mapProse(own, reveal, ALSO_READ);
    const found = check(read);
    if (found.length === 0) {
      if (read !== own)
        warnings.push(`the resource ${addressOf(own)} has text that nobody sees; it is shown`);
      return [read];
    }
    const shown = mapProse(read, (text) => (check({ text }).length > 0 ? WITHHELD : text), ALSO_READ);
    const left = check(shown);
    warnings.push(
      left.length === 0
        ? `words of the resource ${addressOf(own)} are withheld: they look like prompt injection (${found.join(', ')})`
        : `a resource is left out: it looks like prompt injection (${left.join(', ')})`,
    );
    return left.length === 0 ? [shown] : [];
  });
  const more = warnings.length - MOST_WARNINGS;
  return {
    items,
    warnings:
      more > 0
        ? [...warnings.slice(0, MOST_WARNINGS), `the same holds for ${more} resources more`]
        : warnings,
  };
}

function addressOf({ uri, uriTemplate }: Listed): string {
  return JSON.stringify(uri ?? uriTemplate);
}
