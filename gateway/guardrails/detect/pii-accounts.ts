import type { Finding } from './finding.ts';

const DIGIT = /(?<![\w.])\d/g;
/** What makes of the last digit before it something else: a name, a fraction. */
const GOES_ON = /[A-Za-z_]|\.\d/y;

/** Payment cards: an issuer's prefix and length, the Luhn checksum, and groups as they are printed, if in groups. */
export function addCards(found: Finding[], text: string): void {
  DIGIT.lastIndex = 0;
  for (let digit = DIGIT.exec(text); digit !== null; digit = DIGIT.exec(text)) {
    const end = endOfRun(text, digit.index);
    if (end - digit.index >= 13) addCardsIn(found, text.slice(digit.index, end), digit.index);
    DIGIT.lastIndex = Math.max(end, digit.index + 1);
  }
}

/** Digits with single separators between. Goes by hand: a pattern over megabytes of them would take the stack. */
function endOfRun(text: string, start: number): number {
  let end = start + 1;
  let before = start;
  for (;;) {
    const next = isSeparator(text.charCodeAt(end)) ? end + 1 : end;
    if (!isDigit(text.charCodeAt(next))) break;
    before = end;
    end = next + 1;
  }
  GOES_ON.lastIndex = end;
  return GOES_ON.test(text) ? before : end;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isSeparator(code: number): boolean {
  return code === 32 || code === 45;
}

function addCardsIn(found: Finding[], run: string, offset: number): void {
  for (let at = 0; at < run.length;) {
    const groupEnd = endOfGroup(run, at);
    const size = groupEnd - at;
    const end = size === 4 ? endOfGrouped(run, at) : isCard(run.slice(at, groupEnd), false) ? groupEnd : 0;
    if (end > 0) found.push({ start: offset + at, end: offset + end, entity: 'creditCard' });
    at = Math.max(end, groupEnd) + 1;
  }
}

function endOfGroup(run: string, start: number): number {
  let end = start;
  while (end < run.length && run.charCodeAt(end) >= 48) end++;
  return end;
}

/** The end of a card as printed: 4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3; never a table of numbers. 0 when there is none. */
function endOfGrouped(run: string, start: number): number {
  let digits = '';
  for (let at = start, groups = 1; at < run.length; groups++) {
    const end = endOfGroup(run, at);
    if (end - at > 6 || digits.length + end - at > 19) return 0;
    digits += run.slice(at, end);
    if (groups >= 3 && isCard(digits, true)) return end;
    at = end + 1;
  }
  return 0;
}

function isCard(digits: string, grouped: boolean): boolean {
  if (digits.length < 13 || digits.length > 19) return false;
  return hasIssuer(digits, grouped) && !/^(\d)\1+$/.test(digits) && passesLuhn(digits);
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, twice = false; at >= 0; at--, twice = !twice) {
    const digit = digits.charCodeAt(at) - 48;
    sum += twice ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}

/** `grouped`: written like a card, so that rarer issuers and lengths count too. */
function hasIssuer(digits: string, grouped: boolean): boolean {
  const { length } = digits;
  const six = Number(digits.slice(0, 6));
  const two = Math.floor(six / 10_000);
  const three = Math.floor(six / 1_000);
  const four = Math.floor(six / 100);
  if (digits.startsWith('4')) return length === 16 || length === 13 || (length === 19 && grouped);
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return length === 16;
  if (two === 34 || two === 37) return length === 15;
  if (four === 6011 || two === 65 || (three >= 644 && three <= 649)) return length >= 16;
  if ((three >= 300 && three <= 305) || two === 36 || two === 38 || two === 39) return length === 14;
  if (four >= 3528 && four <= 3589) return length >= 16;
  if (four >= 2200 && four <= 2204) return length === 16;
  if (two === 62) return length >= 16 && (grouped || length === 16);
  return grouped && (two === 50 || (two >= 56 && two <= 69)) && length >= 16;
}

/** Characters of an IBAN by country (SWIFT's registry). */
const IBAN_LENGTHS = new Map<string, number>(
  (
    'AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18' +
    'FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27' +
    'MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27' +
    'SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20'
  )
    .match(/[A-Z]{2}\d\d/g)
    ?.map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);
const IBAN_START = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{2}/g;

/** International bank account numbers: the country's length, and the checksum modulo 97 (ISO 13616). */
export function addIbans(found: Finding[], text: string): void {
  IBAN_START.lastIndex = 0;
  for (let match = IBAN_START.exec(text); match !== null; match = IBAN_START.exec(text)) {
    const length = IBAN_LENGTHS.get(match[0].slice(0, 2).toUpperCase());
    const end = length === undefined ? undefined : endOf(text, match.index, length);
    if (end === undefined) continue;
    const value = text.slice(match.index, end).replace(/[ -]/g, '').toUpperCase();
    if (!validIban(value)) continue;
    found.push({ start: match.index, end, entity: 'iban' });
    IBAN_START.lastIndex = end;
  }
}

/** The offset behind `length` letters and digits, with single separators between; undefined when more follow. */
function endOf(text: string, start: number, length: number): number | undefined {
  let at = start;
  for (let count = 0; count < length; at++) {
    const code = text.charCodeAt(at);
    if (isAlphanumeric(code)) count++;
    else if (!isSeparator(code) || !isAlphanumeric(text.charCodeAt(at + 1))) return undefined;
  }
  return isAlphanumeric(text.charCodeAt(at)) ? undefined : at;
}

function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

function validIban(value: string): boolean {
  const moved = value.slice(4) + value.slice(0, 4);
  let rest = 0;
  for (let at = 0; at < moved.length; at++) {
    const code = moved.charCodeAt(at);
    rest = code < 58 ? (rest * 10 + code - 48) % 97 : (rest * 100 + code - 55) % 97;
  }
  return rest === 1;
}
