import * as z from 'zod';
import { approvalPolicySchema, approvalWebhookSchema } from './approvals.ts';

/** What holds for calls beyond who may make them. */
export const policiesSchema = z.strictObject({
  approvals: z.array(approvalPolicySchema).default([]),
  approvalWebhooks: z.array(approvalWebhookSchema).default([]),
});
export type PoliciesConfig = z.infer<typeof policiesSchema>;
