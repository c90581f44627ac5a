/** The kinds of personal data that a guardrail finds. */
export const PII_ENTITIES = [
  'email',
  'phone',
  'creditCard',
  'iban',
  'ssn',
  'nationalId',
  'passport',
  'dateOfBirth',
  'ip',
  'macAddress',
] as const;
