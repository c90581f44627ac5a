import * as z from 'zod';

/** A known server, ready to be registered. */
export const presetSchema = z.object({
  /** What it is asked for by; of another registry, that one's name for it. */
  name: z.string(),
  title: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  /** How it knows its caller. */
  auth: z.enum(['none', 'header', 'env', 'oauth']),
  /** What is to be kept as a secret before it works, and where to get it. */
  credential: z.object({ secret: z.string(), what: z.string(), where: z.url().optional() }).optional(),
  /** What is to be known or filled in. */
  note: z.string().optional(),
  /** As `POST /api/v1/groups/{group}/servers` takes it. */
  server: z.looseObject({ name: z.string() }),
});
export type Preset = z.infer<typeof presetSchema>;

/** `GET /api/v1/presets` */
export const presetsQuerySchema = z.object({
  q: z.string().max(200).default(''),
  /** The address of an MCP registry to search instead of what is shipped. */
  registry: z.url({ protocol: /^https?$/ }).optional(),
  /** Consents to a registry on this machine or its network. */
  allowPrivateAddress: z.stringbool().default(false),
});

export const presetsSchema = z.object({
  presets: z.array(presetSchema),
  /** What was found and cannot be registered, and why. */
  problems: z.array(z.object({ name: z.string(), message: z.string() })),
});
export type Presets = z.infer<typeof presetsSchema>;
