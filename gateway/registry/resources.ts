import type { ListingSearch } from '../guardrails/listing-search.ts';
import type { Verdict } from '../guardrails/listed.ts';
import type { Listed } from './entry.ts';

/** Warnings of one list. */
const MOST_WARNINGS = 20;

export interface ShownResources {
  readonly items: readonly Listed[];
  readonly warnings: readonly string[];
}

/**
 * Resources, or templates of them, as they are shown. Nobody reviews them, and so what looks like prompt injection is
 * withheld, and what could not be searched is left out. A list of which all was searched is looked through once.
 */
export function createShownResources(
  listings: Pick<ListingSearch, 'shown'>,
): (listed: readonly Listed[]) => ShownResources {
  const known = new WeakMap<readonly Listed[], ShownResources>();
  return (listed) => {
    const before = known.get(listed);
    if (before !== undefined) return before;
    const verdicts = listings.shown(listed);
    const shown = shownResources(listed, verdicts);
    if (!verdicts.includes(undefined)) known.set(listed, shown);
    return shown;
  };
}

function shownResources(
  listed: readonly Listed[],
  verdicts: readonly (Verdict | undefined)[],
): ShownResources {
  const warnings = listed.flatMap((own, at) => warningOf(own, verdicts[at]));
  const unsearched = verdicts.filter((verdict) => verdict === undefined).length;
  const more = warnings.length - MOST_WARNINGS;
  return {
    items: verdicts.flatMap((verdict) => (verdict?.shown === undefined ? [] : [verdict.shown as Listed])),
    warnings: [
      ...(unsearched > 0
        ? [`${unsearched} resources are left out: they have not been searched for prompt injection`]
        : []),
      ...warnings.slice(0, MOST_WARNINGS),
      ...(more > 0 ? [`the same holds for ${more} resources more`] : []),
    ],
  };
}

function warningOf(own: Listed, verdict: Verdict | undefined): string[] {
  if (verdict === undefined || verdict.shown === own) return [];
  const { found, shown } = verdict;
  const kinds = found.join(', ');
  if (shown === undefined) return [`a resource is left out: it looks like prompt injection (${kinds})`];
  return [
    found.length === 0
      ? `the resource ${addressOf(own)} has text that nobody sees; it is shown`
      : `words of the resource ${addressOf(own)} are withheld: they look like prompt injection (${kinds})`,
  ];
}

function addressOf({ uri, uriTemplate }: Listed): string {
  return JSON.stringify(uri ?? uriTemplate);
}
