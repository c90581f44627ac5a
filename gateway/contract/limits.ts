import * as z from 'zod';

/** A counter of a rate limit or budget, as it stands. */
export const counterViewSchema = z.object({
  policy: z.string(),
  kind: z.enum(['rate-limit', 'budget']),
  mode: z.enum(['enforce', 'audit']),
  /** Whose counter it is: a value of each of the policy's `per`. */
  holder: z.record(z.string(), z.string()),
  unit: z.enum(['calls', 'tokens', 'cost']),
  /** As it is written: `5/min`, `500/month`. */
  limit: z.string(),
  amount: z.number(),
  used: z.number(),
  remaining: z.number(),
  /** Of a budget: when its period ends, in ms since the epoch. */
  resetsAt: z.number().nullable(),
});
export type CounterView = z.infer<typeof counterViewSchema>;

/** `GET /api/v1/limits`: the counters in use; one's own, and for administrators all. */
export const limitListSchema = z.object({ counters: z.array(counterViewSchema) });
export type LimitList = z.infer<typeof limitListSchema>;
