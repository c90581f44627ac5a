import * as z from 'zod';

const namesSchema = z.array(z.string().min(1).max(200)).max(1_000).nullable();

/** What a token is narrowed to; null where it is not. */
export const tokenScopeSchema = z.strictObject({
  /** Names of groups. */
  groups: namesSchema.default(null),
  /** `group:server`. */
  servers: namesSchema.default(null),
  /** `group:server:tool`, with globs. */
  tools: namesSchema.default(null),
  /** `provider/model`, with globs. */
  models: namesSchema.default(null),
});

/** A token as it is listed: never its value. */
export const tokenViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  /** `pat`: a person's. `vat`: a service account's. */
  kind: z.enum(['pat', 'vat']),
  administrator: z.boolean(),
  scope: tokenScopeSchema,
  /** ISO 8601, as all times here. */
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  expired: z.boolean(),
  /** Until when the value before the last rotation holds; null when there is none. */
  previousUntil: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
});
export type TokenView = z.infer<typeof tokenViewSchema>;

/** `GET /api/v1/tokens`: all for administrators, their own for everybody else. */
export const tokenListSchema = z.object({ tokens: z.array(tokenViewSchema) });

/** `POST /api/v1/tokens`. */
export const tokenRequestSchema = z.strictObject({
  /** What it is for; unlike that of every other token. */
  name: z.string().trim().min(1, 'say what the token is for').max(100),
  /** Whose it is; the caller's own by default. */
  subject: z
    .string()
    .regex(/^(?:user|serviceaccount):[^\s:*?]{1,128}$/, 'name a subject: user:ID or serviceaccount:NAME')
    .optional(),
  scope: tokenScopeSchema.prefault({}),
  administrator: z.boolean().default(false),
  /** For instance `30d`; never by default. */
  expires: z.string().optional(),
});
export type TokenRequest = z.input<typeof tokenRequestSchema>;

/** `POST /api/v1/tokens/{id}/rotate`. */
export const rotateRequestSchema = z.strictObject({
  /** For how long the value before holds too; `0s` for not at all. */
  grace: z.string().default('1h'),
});

/** What creating and rotating answer: the only time that the value is shown. */
export const newTokenSchema = z.object({ token: z.string(), view: tokenViewSchema });
export type NewTokenAnswer = z.infer<typeof newTokenSchema>;

/** What revoking answers: the ids of what is revoked. */
export const revokedSchema = z.object({ revoked: z.array(z.string()) });
