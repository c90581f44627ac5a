import { parse } from 'yaml';
import * as z from 'zod';

const names = z.array(z.string()).catch([]);
const named = z.array(z.looseObject({ name: z.string() })).catch([]);
const accessSchema = z.looseObject({ use: names.optional(), manage: names.optional() }).catch({});
const configSchema = z
  .looseObject({
    subjects: z
      .looseObject({ users: named.optional(), teams: named.optional(), serviceAccounts: named.optional() })
      .catch({}),
    groups: z
      .array(
        z.looseObject({
          name: z.string(),
          access: accessSchema.optional(),
          servers: z.array(z.looseObject({ name: z.string(), access: accessSchema.optional() })).catch([]),
        }),
      )
      .catch([]),
  })
  .catch({ subjects: {}, groups: [] });

export interface WrittenAccess {
  readonly use: string[];
  readonly manage: string[];
}

/** Who may use and manage a group, or use a server of it, as a configuration's text says. */
export function accessIn(text: string, group: string, server?: string): WrittenAccess {
  const found = configSchema.parse(parse(text)).groups.find(({ name }) => name === group);
  const access =
    server === undefined ? found?.access : found?.servers.find(({ name }) => name === server)?.access;
  return { use: access?.use ?? [], manage: access?.manage ?? [] };
}

/** Whom a configuration's text knows, as rules name them. */
export function granteesIn(text: string): string[] {
  const { users = [], teams = [], serviceAccounts = [] } = configSchema.parse(parse(text)).subjects;
  return [
    'everyone',
    ...teams.map(({ name }) => `team:${name}`),
    ...users.map(({ name }) => `user:${name}`),
    ...serviceAccounts.map(({ name }) => `serviceaccount:${name}`),
  ];
}
