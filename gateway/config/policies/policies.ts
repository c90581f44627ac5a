import * as z from 'zod';
import { approvalPolicySchema } from './approvals.ts';

/** What holds for calls beyond who may make them. */
export const policiesSchema = z.strictObject({
  approvals: z.array(approvalPolicySchema).default([]),
});
export type PoliciesConfig = z.infer<typeof policiesSchema>;
