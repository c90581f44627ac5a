import * as z from 'zod';
import { granteeSchema, subjectSchema } from '../subjects.ts';
import { matchSchema } from '../tool-rules.ts';
import { durationSchema, timeoutSchema } from '../units.ts';
import { webhookSchema } from './webhook.ts';
import { policyNameSchema, whenSchema } from './when.ts';

const DAY = 86_400_000;

const howSchema = z.strictObject({
  /** Who may approve; with nobody named, administrators and whoever manages the server's group. */
  approvers: z.array(granteeSchema).default([]),
  /** Nobody approves their own call. */
  fourEyes: z.boolean().default(true),
  /** For how long the call of an MCP client is held open for a decision; clients themselves often wait 60 s at most. */
  wait: timeoutSchema.default(50_000),
  /** For how long a request can be approved, and an approval be used. */
  expires: durationSchema
    .refine((duration) => duration > 0 && duration <= 30 * DAY, 'must be more than 0 and at most 30d')
    .default(15 * 60_000),
  /** Why it is asked, in words for the approver. */
  reason: z.string().min(1).max(500).optional(),
});

/** An entry of a group's `approvals`: calls of its servers that somebody has to approve first. */
export const groupApprovalSchema = z.strictObject({
  ...howSchema.shape,
  tools: z.array(matchSchema).min(1, 'name at least one').default(['@all']),
  /** In CEL, over the arguments: when it counts. */
  when: z.string().min(1).max(2000).optional(),
});

/** An entry of `policies.approvals`. */
export const approvalPolicySchema = z.strictObject({
  ...howSchema.shape,
  name: policyNameSchema,
  when: whenSchema.default({}),
});

/** A program that is told of requests, and may decide them in the name of an approver. */
export const approvalWebhookSchema = z.strictObject({
  ...webhookSchema.shape,
  name: policyNameSchema,
  /** Whose word the program's is; without it, it is told and decides nothing. */
  as: subjectSchema.optional(),
});
export type ApprovalWebhook = z.infer<typeof approvalWebhookSchema>;

/** How a call is approved. */
export type ApprovalTerms = z.infer<typeof howSchema>;
