import * as z from 'zod';
import { launchSchema } from './config.ts';

/**
 * An error of the `/api` surface, as `application/problem+json` (RFC 9457). `detail` says what to do;
 * `rule` names the rule or limit that refused, when one did; `field` the input that was wrong.
 */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  rule: z.string().optional(),
  field: z.string().optional(),
  traceId: z.string().optional(),
  /** Where to sign in, when that is what is missing. */
  url: z.string().optional(),
  /** With the rule `launch-consent`: the commands that want consent. */
  launches: z.array(launchSchema).optional(),
});
export type Problem = z.infer<typeof problemSchema>;
