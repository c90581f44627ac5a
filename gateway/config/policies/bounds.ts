import * as z from 'zod';
import { sizeSchema } from '../units.ts';
import { policyNameSchema, whenSchema } from './when.ts';

const measures = {
  maxBytes: sizeSchema.optional(),
  /** A token is about four characters. */
  maxTokens: z.int().min(1).optional(),
  /** Of the longest list. */
  maxItems: z.int().min(1).optional(),
  maxDepth: z.int().min(1).max(128).optional(),
};

/** Of what a caller sends: beyond them the call is refused. */
export const argumentBoundsSchema = z.strictObject(measures);
/**
 * Of what comes back. Beyond them it is refused (`block`), cut with a mark that a model understands (`truncate`), or
 * kept, so that the caller reads it page by page (`page`).
 */
export const resultBoundsSchema = z.strictObject({
  ...measures,
  over: z.enum(['block', 'truncate', 'page']).optional(),
});
export type Bounds = z.infer<typeof argumentBoundsSchema>;
export type ResultBounds = z.infer<typeof resultBoundsSchema>;

/** How large arguments and results may be. Of the policies about a call, the first that sets a key counts. */
export const boundsPolicySchema = z.strictObject({
  name: policyNameSchema.optional(),
  when: whenSchema.default({}),
  arguments: argumentBoundsSchema.default({}),
  result: resultBoundsSchema.default({}),
});
export type BoundsPolicy = z.infer<typeof boundsPolicySchema>;
