import * as z from 'zod';

/** What is pinned of a server: its tools, its prompts, and its instructions. */
export const pinKindSchema = z.enum(['tool', 'prompt', 'instructions']);
export type PinKind = z.infer<typeof pinKindSchema>;

/** A definition in the part that is pinned; null when it was too large to be kept. */
const contentSchema = z.record(z.string(), z.unknown()).nullable();

/** `waiting`: nobody has decided yet. `rejected`: someone has looked, and it stays hidden. */
export const pinStateSchema = z.enum(['waiting', 'rejected']);

/** One definition, named so that a decision is about what was shown and nothing else. */
export const pinItemSchema = z.strictObject({
  kind: pinKindSchema,
  /** Empty for instructions. */
  name: z.string(),
  /** SHA-256 of the offered definition, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'the hash of a definition has 64 hex digits'),
});
export type PinItem = z.infer<typeof pinItemSchema>;

/** A definition that its server offers and nobody has accepted. */
export const pinChangeSchema = pinItemSchema.extend({
  /** `new`: nothing of this name was ever accepted. `returned`: it was gone, and has come back different. */
  change: z.enum(['new', 'changed', 'returned']),
  state: pinStateSchema,
  /** What of it looks like prompt injection, e.g. `secrecy in description`. */
  found: z.array(z.string()),
  /** When it was first offered (ISO 8601), or rejected, and by whom. */
  at: z.string(),
  by: z.string(),
  offered: contentSchema,
  /** What was accepted before; absent when nothing was. */
  accepted: z.object({ hash: z.string(), at: z.string(), by: z.string(), content: contentSchema }).optional(),
  /** The fields that differ. */
  fields: z.array(z.string()),
  /** The client capabilities for which it is offered, as `sampling, elicitation`; empty for clients without any. */
  offeredTo: z.array(z.string()),
});
export type PinChange = z.infer<typeof pinChangeSchema>;

/** Something that was accepted and is not offered any more: when it returns, it has to be the same. */
export const tombstoneSchema = z.object({
  kind: pinKindSchema,
  name: z.string(),
  hash: z.string(),
  acceptedAt: z.string(),
  acceptedBy: z.string(),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

export const serverPinsViewSchema = z.object({
  /** `tenant:group:server`. */
  server: z.string(),
  mode: z.enum(['review', 'trust']),
  /** How many definitions are accepted and on offer. */
  accepted: z.number().int(),
  changes: z.array(pinChangeSchema),
  removed: z.array(tombstoneSchema),
});
export type ServerPinsView = z.infer<typeof serverPinsViewSchema>;

/** `GET /api/v1/pins`: every server, or the one of `?server=`. */
export const pinsQuerySchema = z.object({ server: z.string().optional() });
export const pinsViewSchema = z.object({ servers: z.array(serverPinsViewSchema) });
export type PinsView = z.infer<typeof pinsViewSchema>;

/**
 * `POST /api/v1/pins/accept` and `/reject`: decides on definitions as they were shown. When one of them is not on
 * offer any more, nothing is decided (409).
 */
export const pinDecisionSchema = z.strictObject({
  server: z.string().min(1),
  items: z.array(pinItemSchema).min(1, 'name at least one definition').max(10_000),
});
export type PinDecision = z.infer<typeof pinDecisionSchema>;

/** What the registry tells an administrator of a server's definitions that are not accepted. */
export const reviewSummarySchema = z.object({
  waiting: z.number().int(),
  rejected: z.number().int(),
  changes: z.array(
    pinItemSchema.extend(pinChangeSchema.pick({ change: true, state: true, found: true }).shape),
  ),
});
export type ReviewSummary = z.infer<typeof reviewSummarySchema>;
