import * as z from 'zod';
import { isSelector, SELECTOR_NAMES } from '../../contract/selectors.ts';
import { anyoneSchema } from '../subjects.ts';

const patterns = z.array(z.string().min(1).max(300)).min(1, 'name at least one');

/** A selector (`@destructive`), a glob over `group:server:tool`, or, without a colon, over the tool's name alone. */
const toolSchema = z
  .string()
  .min(1)
  .max(300)
  .refine((text) => !text.startsWith('@') || isSelector(text), {
    error: ({ input }) => `unknown selector "${String(input)}"; known: ${SELECTOR_NAMES.join(' ')}`,
  });

/**
 * Which calls a policy is about: those that meet every key that is given. With `tools`, `servers` or `groups` it is
 * about calls of MCP servers, and `models` says which model asks for them; with `models` alone, about calls of models;
 * with none of these, about both.
 */
export const whenSchema = z.strictObject({
  tools: z.array(toolSchema).min(1, 'name at least one').optional(),
  /** `group:server`, with globs. */
  servers: patterns.optional(),
  groups: patterns.optional(),
  /** `provider/model`, with globs. */
  models: patterns.optional(),
  subjects: z.array(anyoneSchema).min(1, 'name at least one').optional(),
  /** Values, with globs, of keys that the caller sends as `x-toolgate-metadata`. */
  metadata: z.record(z.string().min(1).max(100), z.string().max(300)).optional(),
  /** In CEL. One that cannot be worked out counts as met: a guard does not vanish because it is broken. */
  condition: z.string().min(1).max(2000).optional(),
});
export type When = z.infer<typeof whenSchema>;

/** The name of a policy: what refusals and the record call it by. */
export const policyNameSchema = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'use letters, digits and . _ - between them');
