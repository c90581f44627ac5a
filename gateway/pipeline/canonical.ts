import { createHash } from 'node:crypto';
import { canonicalJson } from '../contract/json.ts';

/** SHA-256 of a JSON value's canonical text, hex: equal for equal values, whatever the order of their keys. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
