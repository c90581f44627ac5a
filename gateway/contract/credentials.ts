import * as z from 'zod';

/** What a person has given for a server that asks each for their own. */
export const credentialViewSchema = z.object({
  /** `tenant:group:server`. */
  server: z.string(),
  group: z.string(),
  name: z.string(),
  subject: z.string(),
  /** `missing`: something is to be filled in before it can be used. */
  state: z.enum(['ok', 'missing']),
  /** The names that are to be filled in, and those of them that are not yet. */
  fields: z.array(z.string()),
  missing: z.array(z.string()),
});
export type CredentialView = z.infer<typeof credentialViewSchema>;

/** `GET /api/v1/credentials`: the caller's own; with `?all=true`, for administrators, of everybody who gave any. */
export const credentialListSchema = z.object({ credentials: z.array(credentialViewSchema) });

/**
 * `PUT /api/v1/credentials/{group}/{server}`: values by the names of the placeholders. They go into headers and
 * environments, and so are one line each.
 */
export const credentialValuesSchema = z.strictObject({
  values: z.record(
    z.string(),
    z
      .string()
      .min(1, 'give a value')
      .max(10_000)
      // eslint-disable-next-line no-control-regex -- control characters are what is refused
      .regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line, without control characters'),
  ),
});
