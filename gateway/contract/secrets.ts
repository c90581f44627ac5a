import * as z from 'zod';

/** `PUT /api/v1/secrets/{name}`. */
export const secretValueSchema = z.strictObject({
  value: z.string().min(1, 'give a value; DELETE takes the secret away').max(100_000),
});

/** `GET /api/v1/secrets`: never a value. */
export const secretListSchema = z.object({
  secrets: z.array(
    z.object({
      name: z.string(),
      /** ISO 8601; null where it is not known. */
      updatedAt: z.string().nullable(),
      /** What refers to it in the configuration. */
      usedBy: z.array(z.string()),
    }),
  ),
  /** What the configuration refers to, and nobody has set: also not as an environment variable. */
  missing: z.array(z.object({ name: z.string(), usedBy: z.array(z.string()) })),
});
export type SecretList = z.infer<typeof secretListSchema>;
