import * as z from 'zod';
import { pinKindSchema } from '../contract/pins.ts';
import { WHOLE_SCOPE } from '../identity/principal.ts';
import type { ConfigState, ConfigStore } from './contracts.ts';
import { openJsonFile } from './json-file.ts';

const pinsSchema = z.strictObject({
  server: z.string(),
  fingerprint: z.string(),
  revision: z.number(),
  baselines: z.record(z.string(), z.array(pinKindSchema)),
  pins: z.array(
    z.strictObject({
      kind: pinKindSchema,
      name: z.string(),
      versions: z.array(
        z.strictObject({
          hash: z.string(),
          content: z.record(z.string(), z.unknown()).nullable(),
          found: z.array(z.string()).default([]),
          state: z.enum(['accepted', 'waiting', 'rejected']),
          acceptedFor: z.array(z.string()),
          offeredTo: z.array(z.string()),
          returned: z.boolean(),
          at: z.string(),
          by: z.string(),
        }),
      ),
    }),
  ),
});

const namesSchema = z.array(z.string()).nullable();

const tokenSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  hash: z.string(),
  kind: z.enum(['pat', 'vat']).default('pat'),
  administrator: z.boolean(),
  scope: z.strictObject({
    groups: namesSchema,
    servers: namesSchema,
    tools: namesSchema,
    models: namesSchema,
  }),
  previous: z.strictObject({ hash: z.string(), until: z.string() }).nullable().default(null),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
});

/** Records of before 0.2 say `groups` in place of a whole scope. */
function withScope(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || !('groups' in record)) return record;
  const { groups, ...rest } = record;
  return { ...rest, scope: { ...WHOLE_SCOPE, groups } };
}

const stateSchema = z.strictObject({
  version: z.literal(1),
  tokens: z.array(z.preprocess(withScope, tokenSchema)),
  pins: z.array(pinsSchema).default([]),
  consents: z.array(z.strictObject({ hash: z.string(), by: z.string(), at: z.string() })).default([]),
});

const EMPTY: ConfigState = { version: 1, tokens: [], pins: [], consents: [] };

/** A `ConfigStore` in one JSON file. A file that is gone takes every token back. */
export function openConfigStore(file: string): Promise<ConfigStore> {
  return openJsonFile<ConfigState>(file, EMPTY, (value) => stateSchema.parse(value));
}
