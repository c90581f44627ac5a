import * as z from 'zod';

/** The record of one call through a pipeline: what happened, never the payload itself. */
export const callRecordSchema = z.object({
  id: z.string(),
  /** W3C trace id, 32 lower-case hex digits; calls of one agent run share it. */
  traceId: z.string(),
  /** The agent run the call belongs to. */
  runId: z.string().nullable(),
  /** Milliseconds since the epoch, when the call arrived. */
  startedAt: z.number().int(),
  durationMs: z.number(),
  /** The part of `durationMs` spent waiting for the upstream server or provider. */
  upstreamMs: z.number(),
  kind: z.enum(['tool', 'resource', 'prompt', 'completion', 'logging', 'model']),
  /** By which way in the call came. */
  source: z.enum(['mcp', 'agent', 'api']),
  /** `user:owner` and so on; null when the caller could not be identified. */
  subject: z.string().nullable(),
  tokenId: z.string().nullable(),
  /** The server's fqn, or the provider's name. */
  server: z.string(),
  /** The fqn of the server that has the tool, where `server` is virtual. */
  upstream: z.string().nullable(),
  /** The tool's, prompt's or model's name, the resource's URI, or the log level. */
  name: z.string(),
  /** `ok`, `tool_error` (the tool itself reported a failure), or the reason of the refusal. */
  outcome: z.string(),
  /** The rule that decided, when one refused. */
  rule: z.string().nullable(),
  /** How often the server was called again. */
  retries: z.number().int(),
  /** How a kept result was looked for, where it was. */
  cache: z.enum(['hit', 'miss', 'bypass']).nullable(),
  /** The approval that let the call through, by id. */
  approval: z.string().nullable(),
  /** What policies noted without refusing: `audited`, `changed` or `failed`, and the rule; one a line. */
  notes: z.string().nullable(),
  /** What the caller said of the call, as JSON. */
  metadata: z.string().nullable(),
  /** US dollars; null when there is no price. */
  cost: z.number().nullable(),
  requestBytes: z.number().int().nullable(),
  responseBytes: z.number().int().nullable(),
  inputTokens: z.number().int().nullable(),
  outputTokens: z.number().int().nullable(),
  timeToFirstTokenMs: z.number().nullable(),
});
export type CallRecord = z.infer<typeof callRecordSchema>;

/** `GET /api/v1/activity?limit=`: the newest first. */
export const activityPageSchema = z.object({ calls: z.array(callRecordSchema) });
export type ActivityPage = z.infer<typeof activityPageSchema>;
