import * as z from 'zod';
import { serverStateSchema } from './registry.ts';

/** `GET /api/v1/search?q=&limit=`. */
export const searchQuerySchema = z.object({
  q: z
    .string({ error: 'give the words to search for' })
    .trim()
    .min(1, 'give the words to search for')
    .max(200, 'at most 200 characters'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});
export type SearchQuery = z.infer<typeof searchQuerySchema>;

export const searchHitSchema = z.object({
  kind: z.enum(['tool', 'resource', 'prompt']),
  /** `tenant:group:server`. */
  server: z.string(),
  /** Of the server: one that is not ready is searched as it was last known. */
  state: serverStateSchema,
  /** The item's own name at its server. */
  name: z.string(),
  title: z.string().optional(),
  /** Its beginning. */
  description: z.string().optional(),
  /** Of a resource; an RFC 6570 template when `template` is true. */
  uri: z.string().optional(),
  template: z.boolean().optional(),
  /** How well it fits: higher is better, comparable within one answer only. */
  score: z.number(),
});
export type SearchHit = z.infer<typeof searchHitSchema>;

/** The best hits first, among what the caller may use and nothing else. */
export const searchResponseSchema = z.object({
  /** How many fit, `hits` being the first of them. */
  total: z.number().int(),
  hits: z.array(searchHitSchema),
});
export type SearchResponse = z.infer<typeof searchResponseSchema>;
