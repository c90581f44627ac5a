import * as z from 'zod';
import { ITERATION_LIMIT } from '../gateway/contract/agent.ts';
import { SNIPPET_LANGUAGES } from '../gateway/contract/snippets.ts';

/** What the page keeps while it is closed: what the user chose and typed, nothing the gateway sent. */
const uiStateSchema = z.object({
  /** Empty until one is chosen; then the name as the gateway takes it, listed or not. */
  model: z.string().catch(''),
  iterationLimit: z
    .number()
    .int()
    .min(ITERATION_LIMIT.min)
    .max(ITERATION_LIMIT.max)
    .catch(ITERATION_LIMIT.default),
  systemPrompt: z.string().catch(''),
  draft: z.string().catch(''),
  selection: z
    .record(z.string(), z.union([z.literal('all'), z.array(z.string()).readonly()]))
    .readonly()
    .catch({}),
  /** Names of groups that are folded, and fqns of servers that are unfolded. */
  folded: z.array(z.string()).catch([]),
  unfolded: z.array(z.string()).catch([]),
  /** Whether the setup stands beside the timeline where there is room for both. */
  setupOpen: z.boolean().catch(true),
  snippetLanguage: z.enum(SNIPPET_LANGUAGES).catch('python'),
});
export type UiState = z.infer<typeof uiStateSchema>;

/** Reads what a host kept; whatever cannot be read becomes its default. */
export function readUiState(saved: unknown): UiState {
  return uiStateSchema.parse(typeof saved === 'object' && saved !== null ? saved : {});
}
