import * as z from 'zod';
import { durationSchema, timeoutSchema } from '../units.ts';
import { policyNameSchema, whenSchema } from './when.ts';

/** What a call may be tried again after. */
export const RETRY_CAUSES = ['connect', 'lost', 'timeout', '429', '502', '503', '504'] as const;

const causeSchema = z
  .union([z.enum(RETRY_CAUSES), z.int()])
  .transform(String)
  .refine((cause) => RETRY_CAUSES.some((known) => known === cause), {
    error: ({ input }) =>
      `"${String(input)}" is nothing to try again after; known: ${RETRY_CAUSES.join(', ')}`,
  });

const retrySchema = z.strictObject({
  /** Tries after the first; 0 turns it off. */
  attempts: z.int().min(0).max(10).default(1),
  on: z.array(causeSchema).default(['connect', 'lost', '429', '502', '503', '504']),
  /** Also what may have reached the server, of tools that are neither read-only nor idempotent. */
  unsafe: z.boolean().default(false),
  /** The pause before the second try, at most; each further one is twice as long, up to `maxPause`. */
  pause: timeoutSchema.default(200),
  maxPause: timeoutSchema.default(5_000),
  /** Percent of a server's calls that may be tries after the first. */
  budget: z.int().min(1).max(100).default(20),
});

const breakerSchema = z.strictObject({
  /** As many within `window` open it; of transport, never of a tool. */
  failures: z.int().min(1).max(1_000).default(5),
  window: timeoutSchema.default(30_000),
  /** For how long no call is made; twice as long each time that the next one fails too, up to five minutes. */
  cooldown: timeoutSchema.default(10_000),
});

const toolErrorsSchema = z.strictObject({
  /** As many errors of one tool, for one caller, within `window` keep that caller from it. */
  failures: z.int().min(1).max(1_000).default(10),
  window: timeoutSchema.default(60_000),
  cooldown: durationSchema.default(30_000),
});

/** In place of what the server's own `timeouts` say, for the calls that the policy is about. */
const callTimeoutsSchema = z.strictObject({
  call: timeoutSchema.optional(),
  firstByte: timeoutSchema.optional(),
  idle: timeoutSchema.optional(),
});

/** How calls of a server are made when it does not do well. The first policy about a call that sets a key counts. */
export const resiliencePolicySchema = z.strictObject({
  name: policyNameSchema.optional(),
  when: whenSchema.default({}),
  timeouts: callTimeoutsSchema.optional(),
  retry: z.union([retrySchema, z.literal('off')]).optional(),
  breaker: z.union([breakerSchema, z.literal('off')]).optional(),
  toolErrors: z.union([toolErrorsSchema, z.literal('off')]).optional(),
  /** Calls of one server under way at once; as many again wait. */
  concurrency: z.int().min(1).max(10_000).optional(),
});
export type ResiliencePolicy = z.infer<typeof resiliencePolicySchema>;
export type RetryTerms = z.infer<typeof retrySchema>;
export type BreakerTerms = z.infer<typeof breakerSchema>;
export type ToolErrorTerms = z.infer<typeof toolErrorsSchema>;

/** What holds where the configuration says nothing. */
export const RESILIENCE_DEFAULTS = {
  retry: retrySchema.parse({}),
  breaker: breakerSchema.parse({}),
  toolErrors: toolErrorsSchema.parse({}),
  concurrency: 64,
} as const;
