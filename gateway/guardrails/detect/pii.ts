import { PII_ENTITIES } from '../../contract/pii.ts';
import { merge, NOTHING, type Detector, type Finding } from './finding.ts';
import { addMatches, type Pattern } from './pattern.ts';
import { addCards, addIbans } from './pii-accounts.ts';
import { addEmails, IPV4, IPV6, MACS } from './pii-addresses.ts';
import { CODICE_FISCALE, DATES_OF_BIRTH, NATIONAL_IDS, PASSPORTS, SSNS } from './pii-identity.ts';
import { PHONES } from './pii-phone.ts';

export type PiiEntity = (typeof PII_ENTITIES)[number];

/** Without six digits close to each other there is no number worth a look. */
const NUMBER = /\d(?:[ .\-/()\u00a0]{0,2}\d){5}/;
const DATE = /\d{4}|\d[ ./-]\d/;
const DOTTED = /\d\.\d{1,3}\.\d/;

/**
 * Finds personal data of these kinds, by form and, where there is one, by checksum (cards, IBAN, most national ids).
 * What has neither (a plain number without separators, a date, a passport's number) is found only beside a label.
 */
export function createPiiDetector(entities: readonly PiiEntity[] = PII_ENTITIES): Detector {
  const wanted = new Set<PiiEntity>(entities);
  const numbered: Pattern[] = [
    ...(wanted.has('phone') ? PHONES() : []),
    ...(wanted.has('ssn') ? SSNS() : []),
    ...(wanted.has('nationalId') ? NATIONAL_IDS() : []),
    ...(wanted.has('passport') ? PASSPORTS() : []),
  ];
  const fiscal = wanted.has('nationalId') ? CODICE_FISCALE() : undefined;
  const dates = wanted.has('dateOfBirth') ? DATES_OF_BIRTH() : undefined;
  const ipv4 = wanted.has('ip') ? IPV4() : undefined;
  const ipv6 = wanted.has('ip') ? IPV6() : undefined;
  const macs = wanted.has('macAddress') ? MACS() : undefined;

  return (text) => {
    const found: Finding[] = [];
    if (wanted.has('email') && (text.includes('@') || text.includes('%40'))) addEmails(found, text);
    if (dates !== undefined && DATE.test(text)) addMatches(found, text, dates);
    if (ipv4 !== undefined && DOTTED.test(text)) addMatches(found, text, ipv4);
    if (text.includes(':') || text.includes('-') || text.includes('.')) {
      if (ipv6 !== undefined && text.includes(':')) addMatches(found, text, ipv6);
      if (macs !== undefined) for (const pattern of macs) addMatches(found, text, pattern);
    }
    if (fiscal !== undefined) addMatches(found, text, fiscal);
    if (NUMBER.test(text)) {
      if (wanted.has('creditCard')) addCards(found, text);
      if (wanted.has('iban')) addIbans(found, text);
      for (const pattern of numbered) addMatches(found, text, pattern);
    }
    return found.length === 0 ? NOTHING : merge(found);
  };
}
