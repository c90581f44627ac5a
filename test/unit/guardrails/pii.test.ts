import { expect, test } from 'vitest';
import { PII_ENTITIES } from '../../../gateway/contract/pii.ts';
import { createPiiDetector } from '../../../gateway/guardrails/detect/pii.ts';

const found = (text: string): [string, string][] =>
  createPiiDetector()(text).map(({ start, end, entity }) => [entity, text.slice(start, end)]);

test.each([
  ['email', 'write to Bob.Smith+x@mail.example.co.uk.', 'Bob.Smith+x@mail.example.co.uk'],
  ['email', 'mailto:joe@example.org?subject=hi', 'joe@example.org'],
  ['email', 'https://x.test/?user=joe%40example.org&b=1', 'joe%40example.org'],
  ['email', '{"to":"jürgen@müller.de"}', 'jürgen@müller.de'],
  ['phone', 'ring +1 (415) 555-2671 now', '+1 (415) 555-2671'],
  ['phone', 'or 415-555-2671', '415-555-2671'],
  ['phone', 'at +44 (0)20 7946 0958', '+44 (0)20 7946 0958'],
  ['phone', 'London 020 7946 0958', '020 7946 0958'],
  ['phone', 'Berlin 030/12345678', '030/12345678'],
  ['phone', 'Paris 01 42 68 53 00', '01 42 68 53 00'],
  ['phone', '0049 171 1234567', '0049 171 1234567'],
  ['phone', 'Telefon: 1712345678', '1712345678'],
  ['creditCard', 'card 4111 1111 1111 1111 exp 12/27', '4111 1111 1111 1111'],
  ['creditCard', 'order 12 5500-0000-0000-0004', '5500-0000-0000-0004'],
  ['creditCard', 'amex 378282246310005', '378282246310005'],
  ['iban', 'to DE89 3704 0044 0532 0130 00 THANKS', 'DE89 3704 0044 0532 0130 00'],
  ['iban', 'GB29NWBK60161331926819', 'GB29NWBK60161331926819'],
  ['ssn', 'SSN is 219-45-6789', '219-45-6789'],
  ['ssn', 'ssn: 219456789', '219456789'],
  ['nationalId', 'DNI 12345678Z', '12345678Z'],
  ['nationalId', 'CPF 529.982.247-25', '529.982.247-25'],
  ['nationalId', 'AHV 756.1234.5678.97', '756.1234.5678.97'],
  ['nationalId', 'hetu 131052-308T', '131052-308T'],
  ['nationalId', 'NINO AB 12 34 56 C', 'AB 12 34 56 C'],
  ['dateOfBirth', 'born on 12 March 1980 in Ulm', '12 March 1980'],
  ['dateOfBirth', 'Geburtsdatum: 12.03.1980', '12.03.1980'],
  ['ip', 'from 203.0.113.7:443', '203.0.113.7'],
  ['ip', 'host 2001:db8::8a2e:370:7334 up', '2001:db8::8a2e:370:7334'],
  ['macAddress', 'eth0 00:1A:2b:3c:4d:5e', '00:1A:2b:3c:4d:5e'],
])('%s: %s', (entity, text, value) => {
  expect(found(text)).toEqual([[entity, value]]);
});

test.each([
  'git clone git@github.com:org/repo.git',
  'icon@2x.png and @scope/package@1.2.3',
  '2026-11-24T16:31:16.123+01:00',
  '2026-11-24 16:31:16 1769270000000 1769270000',
  'v1.2.3.4, version 1.2.3.4, Chrome/120.0.0.0, pkg@1.2.3.4',
  'listen on 127.0.0.1 and 0.0.0.0 and ::1',
  '550e8400-e29b-41d4-a716-446655440000',
  'order 1234567812345678, card 4111 1111 1111 1112',
  'DE88370400440532013000 is not an account',
  'std::vector<int> a::b Foo::Bar at 12:34:56',
  '@@ -12345,678 +12345,678 @@',
  'between 1990-01-02 and 2020-12-31',
  '000-12-3456 and 666-12-3456',
  'sha 44669f5a3c1b2d3e4f5061728394a5b6c7d8e9f0',
  'pi is 3.14159265358979323846264338327950288',
  '10 000 000 people, 1,234,567.89 dollars',
  'ISBN 978-3-16-148410-0',
  'sum 0.4111111111111111',
])('nobody is named by %j', (text) => {
  expect(found(text)).toEqual([]);
});

test('only what was asked for is found', () => {
  const text = 'bob@example.com 203.0.113.7 +49 171 1234567';
  for (const entity of PII_ENTITIES)
    for (const each of createPiiDetector([entity])(text)) expect(each.entity).toBe(entity);
  expect(createPiiDetector(['ip'])(text)).toHaveLength(1);
  expect(createPiiDetector([])(text)).toEqual([]);
});
