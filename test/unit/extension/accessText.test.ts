import { expect, it } from 'vitest';
import { accessIn, granteesIn } from '../../../extension/accessText.ts';

const TEXT = `version: 1
subjects:
  users: [{ name: ann@example.com }]
  teams: [{ name: finance, members: ["user:ann@example.com"] }]
  serviceAccounts: [{ name: bot }]
groups:
  - { name: open, access: { use: [everyone], manage: ["team:finance"] }, servers: [{ name: s, access: { use: ["user:ben"] } }, { name: t }] }
  - name: closed
`;

it('reads who may, and whom the configuration knows', () => {
  expect(accessIn(TEXT, 'open')).toEqual({ use: ['everyone'], manage: ['team:finance'] });
  expect(accessIn(TEXT, 'open', 's')).toEqual({ use: ['user:ben'], manage: [] });
  expect(accessIn(TEXT, 'open', 't')).toEqual({ use: [], manage: [] });
  expect(accessIn(TEXT, 'closed')).toEqual({ use: [], manage: [] });
  expect(granteesIn(TEXT)).toEqual([
    'everyone',
    'team:finance',
    'user:ann@example.com',
    'serviceaccount:bot',
  ]);
});

it('is not upset by what is not there', () => {
  expect(granteesIn('version: 1')).toEqual(['everyone']);
  expect(accessIn('groups: 3', 'x')).toEqual({ use: [], manage: [] });
});
