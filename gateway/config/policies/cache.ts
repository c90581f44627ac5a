import * as z from 'zod';
import { sizeSchema, timeoutSchema } from '../units.ts';
import { policyNameSchema, whenSchema } from './when.ts';

/**
 * Results of tools that are kept for a while. A tool has to say that it only reads, unless the policy names that very
 * tool. The first policy about a call counts.
 */
export const cachePolicySchema = z.strictObject({
  name: policyNameSchema.optional(),
  when: whenSchema.default({}),
  ttl: timeoutSchema,
  /**
   * `shared`: what one person got is given to another. Only where the server's credential is everybody's and the result
   * does not say that it is private; each has their own otherwise.
   */
  scope: z.enum(['principal', 'shared']).default('principal'),
  /** Larger results are not kept. */
  maxBytes: sizeSchema.default(1_000_000),
});
export type CachePolicy = z.infer<typeof cachePolicySchema>;
