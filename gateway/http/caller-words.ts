import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject } from '../contract/json.ts';

/** What callers say of a call beside the call itself. */
export interface CallerWords {
  /** `x-toolgate-metadata`. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** `Cache-Control: no-cache` or `no-store`. */
  readonly fresh?: boolean | undefined;
}

/** The header does not hold what it should; the message says what does. */
export class MetadataError extends Error {}

const HEADER = 'x-toolgate-metadata';
const MAX_KEYS = 32;
const MAX_CHARS = 4_096;
const SILENT: CallerWords = {};

/**
 * Reads `x-toolgate-metadata`, a JSON object of texts (numbers and booleans count as texts), and `Cache-Control`.
 * Throws a `MetadataError`: a limit that goes by metadata must not be missed by a slip.
 */
export function readCallerWords(headers: IncomingHttpHeaders): CallerWords {
  const given = headers[HEADER];
  const control = headers['cache-control'];
  if (given === undefined && control === undefined) return SILENT;
  const fresh = control !== undefined && /\bno-(?:cache|store)\b/i.test(control);
  return { metadata: given === undefined ? undefined : readMetadata(String(given)), fresh };
}

function readMetadata(text: string): Record<string, string> {
  const wrong = (what: string): MetadataError =>
    new MetadataError(`${HEADER} ${what}; write a JSON object such as {"feature":"search"}`);
  if (text.length > MAX_CHARS) throw wrong(`is longer than ${MAX_CHARS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('is not JSON');
  }
  if (!isJsonObject(value)) throw wrong('is not an object');
  const entries = Object.entries(value);
  if (entries.length > MAX_KEYS) throw wrong(`has more than ${MAX_KEYS} keys`);
  return Object.fromEntries(
    entries.map(([key, one]) => {
      if (typeof one === 'string') return [key, one];
      if (typeof one === 'number' || typeof one === 'boolean') return [key, String(one)];
      throw wrong(`holds something else than a text at "${key}"`);
    }),
  );
}
