import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Finding } from './finding.ts';

/** Deeper values are refused: who nests them so deep wants the gateway's stack, not an answer. */
const DEEPEST = 1_000;

/**
 * Applies `map` to each string of a JSON value; keys are left alone. Answers the same value, object for object, when
 * nothing changed, and copies only what holds a change. Throws a RangeError on a value nested deeper than 1,000.
 */
export function mapStrings(
  value: unknown,
  map: (text: string, path: string) => string,
  path = '',
  depth = 0,
): unknown {
  if (typeof value === 'string') return map(value, path);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) throw new RangeError(`the value is nested deeper than ${DEEPEST}`);
  return Array.isArray(value)
    ? mapItems(value, map, path, depth + 1)
    : mapMembers(value as JsonObject, map, path, depth + 1);
}

function mapItems(
  items: readonly unknown[],
  map: (text: string, path: string) => string,
  path: string,
  depth: number,
): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let at = 0; at < items.length; at++) {
    const mapped = mapStrings(items[at], map, `${path}[${at}]`, depth);
    if (mapped === items[at]) continue;
    copy ??= [...items];
    copy[at] = mapped;
  }
  return copy ?? items;
}

function mapMembers(
  members: JsonObject,
  map: (text: string, path: string) => string,
  path: string,
  depth: number,
): JsonObject {
  let copy: JsonObject | undefined;
  for (const key of Object.keys(members)) {
    const mapped = mapStrings(members[key], map, path === '' ? key : `${path}.${key}`, depth);
    if (mapped === members[key]) continue;
    copy ??= { ...members };
    // Set as a member of its own: `__proto__` is a key like any other in JSON.
    Object.defineProperty(copy, key, { value: mapped, writable: true, enumerable: true, configurable: true });
  }
  return copy ?? members;
}

/** Each string of a JSON value with its place, in the order they are written. Keys are not among them. */
export function* strings(value: unknown): Generator<{ readonly text: string; readonly path: string }> {
  const open: { readonly value: unknown; readonly path: string }[] = [{ value, path: '' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value: inner, path } = next;
    if (typeof inner === 'string') yield { text: inner, path };
    else if (Array.isArray(inner))
      for (let at = inner.length - 1; at >= 0; at--) open.push({ value: inner[at], path: `${path}[${at}]` });
    else if (isJsonObject(inner))
      for (const key of Object.keys(inner).reverse())
        open.push({ value: inner[key], path: path === '' ? key : `${path}.${key}` });
  }
}

/** How many of each entity: what a record may say of findings, since it holds nothing of what was found. */
export function countByEntity(findings: readonly Finding[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { entity } of findings) counts[entity] = (counts[entity] ?? 0) + 1;
  return counts;
}
