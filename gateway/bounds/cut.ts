/** What a value may be cut to. */
export interface Room {
  /** Characters of JSON, about. */
  chars: number;
  readonly maxItems: number;
  readonly maxDepth: number;
}

/** Put in place of what nests too deep. */
const DEEPER = '[nested deeper; cut]';
/** So many keys of an object are kept whatever the room, since its schema may ask for them. */
const KEPT_KEYS = 100;

/**
 * The value with its lists and texts cut to the room there is, which is used up on the way. Objects keep their keys, up
 * to a number, so that what has a schema mostly still fits it. Linear in what is kept.
 */
export function cutJson(value: unknown, room: Room, depth = 1): unknown {
  if (typeof value === 'string') return cutText(value, room);
  if (typeof value !== 'object' || value === null) {
    room.chars -= 8;
    return value;
  }
  if (depth > room.maxDepth) return cutText(DEEPER, room);
  room.chars -= 2;
  if (Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const one of value) {
      if (kept.length >= room.maxItems || room.chars <= 0) break;
      kept.push(cutJson(one, room, depth + 1));
      room.chars -= 1;
    }
    return kept;
  }
  const entries: [string, unknown][] = [];
  for (const [key, one] of Object.entries(value)) {
    if (entries.length >= KEPT_KEYS && room.chars <= 0) break;
    room.chars -= key.length + 4;
    entries.push([key, cutJson(one, room, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

export function cutText(text: string, room: Room): string {
  const left = Math.max(0, room.chars - 2);
  room.chars -= Math.min(text.length, left) + 2;
  if (text.length <= left) return text;
  // Half of a character is none.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(left - 1)) ? left - 1 : left;
  return text.slice(0, end);
}
