import ipaddr from 'ipaddr.js';
import type { Finding } from './finding.ts';
import type { Pattern } from './pattern.ts';

/** Latin letters, digits and what else a local part holds unquoted (RFC 5322, with the letters of RFC 6531). */
const IS_LOCAL = tableOf(/[A-Za-z0-9.!#$&'*+/=?^_`{|}~%\-\u00c0-\u024f]/);
const IS_DOMAIN = tableOf(/[A-Za-z0-9.\-\u00c0-\u024f]/);
const LABEL = /^[A-Za-z0-9\u00c0-\u024f](?:[A-Za-z0-9\-\u00c0-\u024f]*[A-Za-z0-9\u00c0-\u024f])?$/;
/** Ends of file names that are no top-level domain: `icon@2x.png`. */
const FILES: ReadonlySet<string> = new Set(
  'png jpg jpeg gif svg webp ico js mjs cjs ts tsx jsx json css scss less html htm xml yaml yml toml txt log gz tgz tar'.split(
    ' ',
  ),
);
const AT = /@|%40/g;
/** The longest local part and domain that there are (RFC 5321). */
const LONGEST = { local: 64, domain: 253 };

/** What a pattern of one character matches, by code; all of it is below 0x250. */
function tableOf(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 0x250 }, (_, code) => (pattern.test(String.fromCharCode(code)) ? 1 : 0));
}

/** E-mail addresses, also percent-encoded ones (`%40`). A repository's `git@host:path` is none. */
export function addEmails(found: Finding[], text: string): void {
  let taken = 0;
  for (const { index, 0: sign } of text.matchAll(AT)) {
    const finding = emailAround(text, index, index + sign.length, taken);
    if (finding === undefined) continue;
    found.push(finding);
    taken = finding.end;
  }
}

function emailAround(text: string, start: number, end: number, taken: number): Finding | undefined {
  let to = end;
  while (to < text.length && to - end < LONGEST.domain && IS_DOMAIN[text.charCodeAt(to)] === 1) to++;
  while (to > end && /[.-]/.test(text.charAt(to - 1))) to--;
  if (!text.slice(end, to).includes('.')) return undefined;
  let from = start;
  while (from > taken && start - from < LONGEST.local && IS_LOCAL[text.charCodeAt(from - 1)] === 1) from--;
  // What separates fields and quotes is allowed in a local part, and hardly ever begins one.
  while (from < start && /[.!#$&'*+/=?^`{|}~%-]/.test(text.charAt(from))) from++;
  // Only in the local part: looked for in all of the text, each sign would cost as much as all before it.
  const local = text.slice(from, start);
  const inner = from + Math.max(local.lastIndexOf('='), local.lastIndexOf('/'), local.lastIndexOf('?'));
  const userinfo = inner >= from && text.slice(from, inner + 1).includes('/');
  if (inner >= from) from = inner + 1;
  if (from >= start || userinfo) return from < start ? plainEmail(text, from, start, end, to) : undefined;
  return plainEmail(text, from, start, end, to);
}

function plainEmail(text: string, from: number, at: number, domain: number, to: number): Finding | undefined {
  if (text.slice(from, at).includes('..') || !isDomain(text.slice(domain, to))) return undefined;
  const before = text.charAt(from - 1);
  const after = text.charAt(to);
  if (after === ':' && /[A-Za-z~./]/.test(text.charAt(to + 1)) && text.slice(from, at) === 'git')
    return undefined;
  // A URL's user or password, which the detector of secrets is for.
  if (
    (before === ':' || before === '/') &&
    /:\/\/[^\s/]{0,64}$/.test(text.slice(Math.max(0, from - 70), from))
  )
    return undefined;
  return { start: from, end: to, entity: 'email' };
}

function isDomain(domain: string): boolean {
  const labels = domain.split('.');
  const top = labels.at(-1) ?? '';
  if (labels.length < 2 || !/^(?:[A-Za-z\u00c0-\u024f]{2,24}|xn--[A-Za-z0-9-]+)$/.test(top)) return false;
  return !FILES.has(top.toLowerCase()) && labels.every((label) => label.length <= 63 && LABEL.test(label));
}

const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const VERSIONED =
  /(?:\bv|ver(?:sion|\.)?|release|build|section|chapter|clause|rfc|§|[\^~=<>]=?|[A-Za-z]\/|@)[ "':=]{0,3}$/i;

/** IPv4 addresses; not a version's four parts, nor the addresses that are nobody's (loopback, unspecified, broadcast). */
export function IPV4(): Pattern {
  return {
    entity: 'ip',
    pattern: new RegExp(`(?<![\\w.-])${BYTE}(?:\\.${BYTE}){3}(?![\\w]|\\.\\d|-[A-Za-z0-9])`, 'g'),
    check: (match, at, text) =>
      !/^(?:0\.|127\.|255\.255\.)/.test(match) && !VERSIONED.test(text.slice(Math.max(0, at - 12), at)),
  };
}

/** IPv6 addresses; not times, nor names of C++ with `::`. */
export function IPV6(): Pattern {
  return {
    entity: 'ip',
    pattern: /(?<![\w:.])(?:[0-9a-fA-F]{1,4}:|::)[0-9a-fA-F:]{1,38}(?:\.\d{1,3}){0,3}(?![\w:])/g,
    check: (match) => {
      const groups = match.split(':').filter((group) => group !== '').length;
      if (!match.includes('::') && groups < 7) return false;
      if (!/\d/.test(match) || (groups < 3 && !/^(?:[23]|f[cde])[0-9a-f]{3}:/i.test(match))) return false;
      return ipaddr.IPv6.isValid(match);
    },
  };
}

/** Hardware addresses in their three ways of writing; not the broadcast and the null address. */
export function MACS(): readonly Pattern[] {
  const check = (match: string): boolean =>
    !/^(?:00\W?){6}$|^(?:ff\W?){6}$/i.test(match) && (!match.includes('-') || /[a-f]/i.test(match));
  return [
    {
      entity: 'macAddress',
      pattern: /(?<![\w:-])[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2}){4}(?![\w:-])/g,
      check,
    },
    {
      entity: 'macAddress',
      pattern: /(?<![\w.])[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}\.[0-9a-fA-F]{4}(?![\w.])/g,
      check: (match) => /\d/.test(match) && /[a-f]/i.test(match),
    },
  ];
}
