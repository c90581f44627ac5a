import { randomUUID } from 'node:crypto';

/**
 * A new id of an activity record: a UUID of version 7 (RFC 9562, 5.7), so that ids follow one another in time. Rows
 * under such ids are added at the end of an index; random ones each touch a page of their own, which costs more than
 * all the rest of writing the row.
 */
export function newRecordId(now: number): string {
  const time = Math.max(0, Math.trunc(now)).toString(16).padStart(12, '0').slice(-12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
