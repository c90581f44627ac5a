import isIdentityCard from 'validator/lib/isIdentityCard.js';
import isTaxID from 'validator/lib/isTaxID.js';
import { digitsOf, type Pattern } from './pattern.ts';

/** US social security numbers with dashes, or beside their label; only numbers that are given out. */
export function SSNS(): readonly Pattern[] {
  const check = (match: string): boolean => {
    const digits = digitsOf(match);
    return !/^(?:000|666|9)/.test(digits) && !/^\d{3}00|0000$/.test(digits);
  };
  return [
    { entity: 'ssn', pattern: /(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w]|-\d)/g, check, hints: ['-'] },
    {
      entity: 'ssn',
      pattern:
        /\b(?:ssn|social security(?: (?:no|number))?)\b\.?["']?[ \t]{0,3}(?:[:=#]|is)?[ \t]{0,3}["']?(\d{3}[ -]?\d{2}[ -]?\d{4})(?!\w)/dgi,
      group: 1,
      check,
    },
  ];
}

const id = (pattern: RegExp, check: NonNullable<Pattern['check']>, group?: number): Pattern => ({
  entity: 'nationalId',
  pattern,
  check,
  ...(group === undefined ? {} : { group }),
});

/** Numbers that states give to people and that a checksum or a form of their own tells from other numbers. */
export function NATIONAL_IDS(): readonly Pattern[] {
  return [
    // Spain: DNI and NIE, a check letter.
    id(/(?<![\w-])(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z](?![\w])/g, (match) =>
      isIdentityCard(match.replace('-', ''), 'ES'),
    ),
    // China: a date of birth and ISO 7064.
    id(/(?<![\w.-])[1-9]\d{16}[\dXx](?![\w.-])/g, (match) => isIdentityCard(match, 'zh-CN')),
    // Finland: a date of birth and a check character.
    id(/(?<![\w-])\d{6}[-+A]\d{3}[0-9A-Y](?![\w-])/g, (match) => isIdentityCard(match, 'FI')),
    // Norway: a date of birth and two check digits.
    id(/(?<![\w.-])[0-7]\d{5} ?\d{5}(?![\w.-])/g, (match) => isIdentityCard(match.replace(' ', ''), 'NO')),
    // Sweden: a date of birth and Luhn; without the separator it looks like any number.
    id(/(?<![\w-])(?:19|20)?\d{6}[-+]\d{4}(?![\w-])/g, (match) => isTaxID(match, 'sv-SE')),
    // Brazil: CPF as it is printed, two check digits.
    id(/(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])/g, (match) => isTaxID(match, 'pt-BR')),
    // Switzerland: AHV, an EAN-13 that begins with 756.
    id(/(?<![\w.])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\w.]\d)/g, (match) => isEan13(digitsOf(match))),
    // Belgium: as it is printed, modulo 97.
    id(/(?<![\w.])\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?![\w.-])/g, (match) => isBelgian(digitsOf(match))),
    // France: NIR, modulo 97.
    id(/(?<![\w.-])[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?![\w.-])/g, isNir),
    // India: Aadhaar in its three groups, Verhoeff.
    id(/(?<![\w.-])(?<!\d )[2-9]\d{3}([ -])\d{4}\1\d{4}(?![\w.-]| ?\d)/g, (match) =>
      isIdentityCard(match.replace(/[ -]/g, ''), 'IN'),
    ),
    // Britain: national insurance number, a form of its own.
    id(
      /(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![\w-])/g,
      (match, at, text) =>
        match.includes(' ') || /insurance|\bnino?\b/i.test(text.slice(Math.max(0, at - 40), at)),
    ),
    // Korea: a date of birth, and a first digit that tells the century.
    id(/(?<![\w-])\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]\d{6}(?![\w-])/g, () => true),
    // Those whose number says too little by itself, beside a label: Poland, Germany, the Netherlands, Denmark.
    id(
      /\bpesel\b["']?[ \t]{0,3}[:=]?[ \t]{0,3}["']?(\d{11})(?!\w)/dgi,
      (match) => isIdentityCard(match, 'PL'),
      1,
    ),
    id(
      /\b(?:steuer-?(?:id(?:entifikationsnummer)?|nummer)|idnr|tax id)\b\.?["']?[ \t]{0,3}[:=]?[ \t]{0,3}["']?(\d{2} ?\d{3} ?\d{3} ?\d{3})(?!\w)/dgi,
      (match) => isTaxID(digitsOf(match), 'de-DE'),
      1,
    ),
    id(
      /\b(?:bsn|burgerservicenummer|sofinummer)\b["']?[ \t]{0,3}[:=]?[ \t]{0,3}["']?(\d{9})(?!\w)/dgi,
      (match) => isTaxID(match, 'nl-NL'),
      1,
    ),
    id(
      /\b(?:cpr|personnummer)\b(?:-?n(?:umme)?r)?\.?["']?[ \t]{0,3}[:=]?[ \t]{0,3}["']?(\d{6}-?\d{4})(?!\w)/dgi,
      () => true,
      1,
    ),
  ];
}

/** Italy's codice fiscale: letters and digits in a form of their own, and a check letter. */
export function CODICE_FISCALE(): Pattern {
  return id(
    /(?<![A-Za-z0-9])[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z](?![A-Za-z0-9])/g,
    (match) => /\d/.test(match) && isTaxID(match, 'it-IT'),
  );
}

/** Passports' numbers beside their label, and the second line of a machine-readable zone (ICAO 9303). */
export function PASSPORTS(): readonly Pattern[] {
  return [
    {
      entity: 'passport',
      pattern:
        /\b(?:passport|reisepass|passeport|pasaporte|passaporto)\b(?:[- ]?(?:no|nr|number|nummer|id|num[ée]ro|n[úu]mero|n°))?\.?["']?[ \t]{0,3}(?:[:=#]|is)?[ \t]{0,3}["']?([A-Z]{0,3}\d[A-Z0-9]{4,8})(?!\w)/dgi,
      group: 1,
      check: (match) => (match.match(/\d/g)?.length ?? 0) >= 4,
    },
    {
      entity: 'passport',
      pattern: /(?<![\w<])[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[\d<]\d(?![\w<])/g,
    },
  ];
}

const MONTH =
  '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|janv|févr|avr|juin|juil|août|déc|ene|abr|ago|dic)[a-zà-ÿ]{0,7}\\.?';
const DATE = [
  '\\d{4}[-/.]\\d{1,2}[-/.]\\d{1,2}',
  '\\d{1,2}[-/.] ?\\d{1,2}[-/.] ?\\d{2,4}',
  `\\d{1,2}(?:st|nd|rd|th|er|\\.)? (?:de |of )?${MONTH},? (?:de )?\\d{4}`,
  `${MONTH} \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}`,
].join('|');

/** A date of birth, beside its label; any other date is just a date. */
export function DATES_OF_BIRTH(): Pattern {
  return {
    entity: 'dateOfBirth',
    pattern: new RegExp(
      `\\b(?:date[ _-]?of[ _-]?birth|d\\.?o\\.?b\\b|birth[ _-]?da(?:te|y)|born(?: on)?|geboren(?: am)?|geburts(?:datum|tag)|geb\\.|née? le|date de naissance|fecha de nacimiento|data di nascita|nacid[oa] el)\\.?["']?[ \\t]{0,3}(?:[:=]|is|was)?[ \\t]{0,3}["']?(${DATE})(?!\\w)`,
      'dgi',
    ),
    group: 1,
  };
}

function isEan13(digits: string): boolean {
  const sum = Array.from(digits).reduce(
    (total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3),
    0,
  );
  return digits.length === 13 && sum % 10 === 0;
}

function isBelgian(digits: string): boolean {
  const rest = Number(digits.slice(9));
  const body = digits.slice(0, 9);
  return 97 - (Number(body) % 97) === rest || 97 - (Number(`2${body}`) % 97) === rest;
}

function isNir(match: string): boolean {
  const plain = match.replace(/ /g, '').replace('2A', '19').replace('2B', '18');
  if (plain.length !== 15) return false;
  return 97 - Number(BigInt(plain.slice(0, 13)) % 97n) === Number(plain.slice(13));
}
