import * as z from 'zod';

const costSchema = z.object({
  tools: z.number().int(),
  /** Of every tool's name, description and input schema together, as a model is given them. */
  tokens: z.number().int(),
});

/** What listing tools costs a model's context, for the caller, by the way its client connects. */
export const contextResponseSchema = z.object({
  /** The tokenizer that counted. Other models' tokenizers differ somewhat. */
  encoding: z.literal('o200k_base'),
  addresses: z.array(costSchema.extend({ path: z.string() })),
  /** The same for every address below `/mcp/_discover`. */
  discovery: costSchema,
});
export type ContextResponse = z.infer<typeof contextResponseSchema>;
