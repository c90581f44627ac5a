import * as z from 'zod';

export const guardSchema = z.object({
  name: z.string(),
  /** False where the configuration has it open. */
  active: z.boolean(),
  /** How it is set, in words. */
  detail: z.string(),
});
/** `GET /api/v1/guards`. */
export const guardListSchema = z.object({ guards: z.array(guardSchema) });

export type Guard = z.output<typeof guardSchema>;
