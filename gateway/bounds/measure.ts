import type { Bounds } from '../config/policies/bounds.ts';

/** A token is about so many characters. */
export const CHARS_PER_TOKEN = 4;

/** A bound that a value is over, in words: `3.1 MB, over the 1 MB of maxBytes`. */
export interface Excess {
  readonly bound: keyof Bounds;
  readonly words: string;
}

/** The longest list in a value, and how deep it nests. */
export interface Shape {
  readonly items: number;
  readonly depth: number;
}

/** The first bound that a value is over; `text` is the value as JSON, where that is at hand. */
export function excessOf(
  value: unknown,
  bounds: Bounds,
  text?: string,
  shape: () => Shape = () => shapeOf(value),
): Excess | undefined {
  const { maxBytes, maxTokens, maxItems, maxDepth } = bounds;
  if (maxBytes !== undefined || maxTokens !== undefined) {
    const json = text ?? JSON.stringify(value);
    const bytes = maxBytes === undefined ? 0 : Buffer.byteLength(json);
    if (maxBytes !== undefined && bytes > maxBytes)
      return { bound: 'maxBytes', words: `${inBytes(bytes)}, over the ${inBytes(maxBytes)} of maxBytes` };
    const tokens = Math.ceil(json.length / CHARS_PER_TOKEN);
    if (maxTokens !== undefined && tokens > maxTokens)
      return { bound: 'maxTokens', words: `about ${tokens} tokens, over the ${maxTokens} of maxTokens` };
  }
  if (maxItems === undefined && maxDepth === undefined) return undefined;
  const { items, depth } = shape();
  if (maxItems !== undefined && items > maxItems)
    return { bound: 'maxItems', words: `a list of ${items} items, over the ${maxItems} of maxItems` };
  if (maxDepth !== undefined && depth > maxDepth)
    return { bound: 'maxDepth', words: `${depth} levels deep, over the ${maxDepth} of maxDepth` };
  return undefined;
}

export function shapeOf(value: unknown): Shape {
  let items = 0;
  let depth = 0;
  const open: [unknown, number][] = [[value, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [one, level] = next;
    if (typeof one !== 'object' || one === null) continue;
    depth = Math.max(depth, level + 1);
    if (Array.isArray(one)) items = Math.max(items, one.length);
    for (const inner of Object.values(one)) open.push([inner, level + 1]);
  }
  return { items, depth };
}

export function inBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
