import { closest, distance } from 'fastest-levenshtein';

/** The candidate that `name` is most likely a slip of; undefined when none is close. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const found = closest(name, candidates);
  const allowed = Math.max(2, Math.floor(name.length / 3));
  return distance(name.toLowerCase(), found.toLowerCase()) <= allowed ? found : undefined;
}
