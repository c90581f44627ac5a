import * as z from 'zod';

/** What a person has given for a server that asks each for their own, or how a sign-in there is. */
export const credentialViewSchema = z.object({
  /** `tenant:group:server`. */
  server: z.string(),
  group: z.string(),
  name: z.string(),
  /** Whose it is; `everyone` of a sign-in that all share. */
  subject: z.string(),
  /** `values` are filled in; `oauth2` is signed in to. */
  kind: z.enum(['values', 'oauth2']),
  /** `missing`: something is to be filled in before it can be used. `consent`: somebody has to sign in, or again. */
  state: z.enum(['ok', 'missing', 'consent']),
  /** The names that are to be filled in, and those of them that are not yet. */
  fields: z.array(z.string()),
  missing: z.array(z.string()),
  /** Of a sign-in: who gave the token, for what, when somebody signed in, and until when it is good (ISO 8601). */
  issuer: z.string().optional(),
  scopes: z.array(z.string()).optional(),
  signedInAt: z.string().optional(),
  validUntil: z.string().optional(),
  /** Whether the gateway renews it by itself. */
  renews: z.boolean().optional(),
  /** Why somebody has to sign in again. */
  problem: z.string().optional(),
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

/** The editors that the extension runs in; an address of any other kind could lead anywhere. */
const RETURN_TO =
  /^(?:vscode|vscode-insiders|vscodium|code-oss|cursor|windsurf):\/\/toolgate\.toolgate\/signed-in$/;

/** The body of `authorize`, which may be left out: where the last page leads back to. */
export const authorizeRequestSchema = z.strictObject({
  returnTo: z.string().regex(RETURN_TO, 'must be the extension’s own address in an editor').optional(),
});

/** `POST /api/v1/credentials/{group}/{server}/authorize`: where to sign in, and until when (ISO 8601). */
export const authorizeSchema = z.object({ url: z.string(), expiresAt: z.string() });
export type AuthorizeAnswer = z.infer<typeof authorizeSchema>;
