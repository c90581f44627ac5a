import * as z from 'zod';

/** `POST /api/v1/calls`: one tool call through the pipeline, for the command line and the editor. */
export const callRequestSchema = z.strictObject({
  server: z.string().min(1),
  tool: z.string().min(1),
  arguments: z.record(z.string(), z.unknown()).default({}),
});
export type CallRequest = z.infer<typeof callRequestSchema>;

/** Its answer: the tool's `CallToolResult`, untouched. */
export const callResponseSchema = z.object({
  traceId: z.string(),
  durationMs: z.number(),
  result: z.looseObject({ isError: z.boolean().optional() }),
});
export type CallResponse = z.infer<typeof callResponseSchema>;

/** `POST /api/v1/export`: the files of an export, for the caller to write. */
export const exportBundleSchema = z.object({
  files: z.array(z.object({ path: z.string(), content: z.string(), executable: z.boolean() })),
  /** What the reader must know before running it elsewhere. */
  notes: z.array(z.string()),
});
export type ExportBundle = z.infer<typeof exportBundleSchema>;
