import * as z from 'zod';
import { reviewSummarySchema } from './pins.ts';

/**
 * Where a server is in its life. `configured`: known, not yet started. `degraded`: connected, but part of
 * what it offers could not be listed. `failed`: the last start or connection failed; a new attempt may be due.
 * `stopped`: disabled, which `lastError` says, or at rest until a call starts it.
 */
export const serverStateSchema = z.enum(['configured', 'starting', 'ready', 'degraded', 'failed', 'stopped']);
export type ServerState = z.infer<typeof serverStateSchema>;

/**
 * How the gateway speaks to a server. `openapi`: by the requests of an HTTP API; `virtual`: not at all, since its tools
 * are those of others.
 */
export const transportSchema = z.enum(['stdio', 'streamable-http', 'sse', 'openapi', 'virtual']);
export type Transport = z.infer<typeof transportSchema>;

/** Hints of the MCP specification (`ToolAnnotations`); a server's own claim, not a guarantee. */
export const toolAnnotationsSchema = z.looseObject({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});
export type ToolAnnotations = z.infer<typeof toolAnnotationsSchema>;

export const toolViewSchema = z.object({
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  annotations: toolAnnotationsSchema.optional(),
  inputSchema: z.record(z.string(), z.unknown()),
});
export type ToolView = z.infer<typeof toolViewSchema>;

export const resourceViewSchema = z.object({
  uri: z.string(),
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  mimeType: z.string().optional(),
  /** True when `uri` is an RFC 6570 template. */
  template: z.boolean(),
});
export type ResourceView = z.infer<typeof resourceViewSchema>;

export const promptViewSchema = z.object({
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  arguments: z.array(
    z.object({ name: z.string(), description: z.string().optional(), required: z.boolean().optional() }),
  ),
});
export type PromptView = z.infer<typeof promptViewSchema>;

export const serverViewSchema = z.object({
  /** `tenant:group:server`, as `integration_fqn` takes it. */
  fqn: z.string(),
  group: z.string(),
  name: z.string(),
  description: z.string().optional(),
  tags: z.array(z.string()),
  transport: transportSchema,
  /** Out of use by the configuration. */
  disabled: z.boolean().default(false),
  state: serverStateSchema,
  /** Why the server is failed or degraded, in words a person can act on. */
  lastError: z.string().optional(),
  /** What it waits for before it can be connected to: that somebody signs in, or fills in values. */
  lacks: z.enum(['consent', 'values']).optional(),
  /** How calls of it fare, once there was one. */
  health: z
    .object({
      /** Whether calls are made: `open` for a while after many failures, `half-open` while one is tried. */
      circuit: z.enum(['closed', 'open', 'half-open']),
      /** When the next call will be let through (ISO 8601); while it is open. */
      opensAgainAt: z.string().optional(),
      /** Tries after the first, since the gateway's start. */
      retries: z.number().int(),
      underWay: z.number().int(),
    })
    .optional(),
  /** The newest lines of the server's standard error, oldest first. */
  stderrTail: z.array(z.string()),
  /** What the server says of itself at `initialize`. */
  serverInfo: z.object({ name: z.string(), version: z.string() }).optional(),
  protocolVersion: z.string().optional(),
  /**
   * When the server last listed all that it offers (ISO 8601), which may be before the gateway's start. Absent when
   * it never has.
   */
  listedAt: z.string().optional(),
  /** What a person should know though nothing failed, for instance a tool left out of aggregates. */
  warnings: z.array(z.string()),
  /** What nobody has accepted, and so is not among the lists below; for administrators, and absent when there is nothing. */
  review: reviewSummarySchema.optional(),
  tools: z.array(toolViewSchema),
  resources: z.array(resourceViewSchema),
  prompts: z.array(promptViewSchema),
});
export type ServerView = z.infer<typeof serverViewSchema>;

export const groupViewSchema = z.object({
  name: z.string(),
  description: z.string().optional(),
  environment: z.string().optional(),
  servers: z.array(serverViewSchema),
});
export type GroupView = z.infer<typeof groupViewSchema>;

/** `GET /api/v1/registry`: all that the caller may see, and nothing else. */
export const registryViewSchema = z.object({
  tenant: z.string(),
  gatewayVersion: z.string(),
  /** Rises with every change of the registry or of a server's state within one run of the gateway. */
  revision: z.number().int(),
  groups: z.array(groupViewSchema),
});
export type RegistryView = z.infer<typeof registryViewSchema>;

/** `GET /v1/models` and `GET /api/llm/models`, the OpenAI list with our additions. */
export const modelListSchema = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      id: z.string(),
      object: z.literal('model'),
      created: z.number().int(),
      owned_by: z.string(),
      description: z.string().optional(),
    }),
  ),
  /** Providers whose models could not be listed, and why. Their models can still be called by name. */
  unavailable: z.array(z.object({ provider: z.string(), reason: z.string() })),
});
export type ModelList = z.infer<typeof modelListSchema>;

/**
 * `GET /api/v1/events` (SSE): one `registry` event at once and after every change. It carries no content, so
 * that a slow reader never lags behind: read the registry again.
 */
export const registryEventSchema = z.object({ type: z.literal('registry'), revision: z.number().int() });
export type RegistryEvent = z.infer<typeof registryEventSchema>;
