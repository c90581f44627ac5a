import type { Finding } from './finding.ts';

/** As much as tells that it is too long: a pattern over megabytes of them would take the stack. */
const RUN = /[A-Za-z0-9+/_-]{24,200}={0,2}/g;
const END = /[^A-Za-z0-9+/_-]|$/g;
/** Longer ones are data (an image, a file), not something to sign in with. */
const LONGEST = 140;
/** What public identifiers, checksums and data begin with, or stand behind. */
const IDENTIFIER =
  /^(?:call|toolu|chatcmpl|cmpl|msg|req|resp|run|thread|asst|file|cus|evt|pi|in|sub|price|prod|ch|acct|fc|rs|batch|step|vs|sha(?:1|224|256|384|512)|md5|blake2b|SHA256|h1|urn|uuid|did|ipfs|Qm|bafy)[_-]/;
const CHECKSUMMED =
  /(?:base64,|sha\d{1,3}[-:]|SHA256:|h1:|integrity["']?[:=]\s?["']?|["']?etag["']?\s?[:=]\s?(?:W\/)?["']?)$/i;
/** Lengths of hashes, object ids and trace ids in hex: they say nothing by themselves. */
const HASHES: ReadonlySet<number> = new Set([24, 28, 32, 40, 48, 56, 64, 96, 128]);

/** Long strings of a secret's alphabet that look random: neither words, paths, UUIDs and hashes, nor data. */
export function addRandom(found: Finding[], text: string): void {
  RUN.lastIndex = 0;
  for (let match = RUN.exec(text); match !== null; match = RUN.exec(text)) {
    const [run] = match;
    const start = match.index;
    if (run.length >= 200 && !run.endsWith('=')) {
      END.lastIndex = RUN.lastIndex;
      RUN.lastIndex = END.exec(text)?.index ?? text.length;
    }
    if (run.length > LONGEST || !looksRandom(run) || isAddress(text, start, run.length)) continue;
    found.push({ start, end: start + run.length, entity: 'high-entropy' });
  }
}

function looksRandom(run: string): boolean {
  if (IDENTIFIER.test(run)) return false;
  const plain = run.replace(/=+$/, '');
  if (/^[0-9a-fA-F]+$/.test(plain))
    return !HASHES.has(plain.length) && plain.length < 128 && /\d/.test(plain) && entropyOf(plain) >= 3.2;
  if (/^[0-9a-fA-F-]+$/.test(plain)) return false;
  const shape = shapeOf(plain);
  if (shape.digits < 2 || shape.upper < 2 || shape.lower < 2) return false;
  // Letters and digits of words and names change kind seldom; those of random strings, at every second place.
  return (
    shape.changes / plain.length >= 0.33 && entropyOf(plain) >= Math.min(3.9, Math.log2(plain.length) * 0.83)
  );
}

/** A part of a path or address: `/assets/app-3kd…js`; or a checksum. */
function isAddress(text: string, start: number, length: number): boolean {
  const before = text.slice(Math.max(0, start - 100), start);
  if (CHECKSUMMED.test(before)) return true;
  if (/[a-z][a-z0-9+.-]*:\/\/[^\s?#"']*$/i.test(before)) return true;
  if (/[/\\]$/.test(before) && /[./\\][\w-]+[/\\]$/.test(before)) return true;
  return /^\.[a-z]{1,4}\b/.test(text.slice(start + length, start + length + 6));
}

function shapeOf(text: string): { digits: number; upper: number; lower: number; changes: number } {
  const shape = { digits: 0, upper: 0, lower: 0, changes: 0 };
  let previous = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const kind =
      code >= 48 && code <= 57 ? 'digits' : code >= 65 && code <= 90 ? 'upper' : code >= 97 ? 'lower' : '';
    if (kind !== '') shape[kind]++;
    if (previous !== '' && kind !== '' && kind !== previous) shape.changes++;
    if (kind !== '') previous = kind;
  }
  return shape;
}

/** Shannon's, in bits a character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
