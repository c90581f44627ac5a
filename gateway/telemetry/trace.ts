import { randomUUID } from 'node:crypto';

/** A new W3C trace id: 32 lower-case hex digits. */
export function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}
