import * as z from 'zod';

/**
 * `pending` until somebody decides or it expires; `approved` until the call is made, which spends it; `cancelled` when
 * the caller gave up before anybody decided.
 */
export const approvalStatusSchema = z.enum([
  'pending',
  'approved',
  'denied',
  'spent',
  'expired',
  'cancelled',
]);
export type ApprovalStatus = z.infer<typeof approvalStatusSchema>;

/** Where a person decides an approval, in the web console. */
export function approvalUrl(base: string, id: string): string {
  return `${base}/#approval=${id}`;
}

/** For how much an approval stands: this call, or calls of this caller and this tool for a while. */
export const approvalScopeSchema = z.union([
  z.literal('once'),
  /** Until the agent's run or the MCP session is over. */
  z.literal('session'),
  z.strictObject({ minutes: z.number().int().min(1).max(480) }),
]);
export type ApprovalScope = z.infer<typeof approvalScopeSchema>;

const decisionSchema = z.object({
  verdict: z.enum(['approved', 'denied']),
  /** The subject that decided. */
  by: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  via: z.enum(['api', 'webhook', 'elicitation', 'grant']),
  /** Who decided, by the word of the webhook that decided in the name of `by`. */
  person: z.string().optional(),
  /** Of a denial: what the caller and its model are told. */
  reason: z.string().optional(),
  scope: approvalScopeSchema.optional(),
});
export type ApprovalDecision = z.infer<typeof decisionSchema>;

/** A call that waits, or waited, for somebody's word. */
export const approvalViewSchema = z.object({
  id: z.string(),
  status: approvalStatusSchema,
  /** Who wants to call. */
  subject: z.string(),
  source: z.enum(['mcp', 'agent', 'api']),
  /** `provider/model` that asked for the call. */
  model: z.string().nullable(),
  runId: z.string().nullable(),
  traceId: z.string(),
  /** `tenant:group:server`, and the tool's name as it is shown there. */
  server: z.string(),
  tool: z.string(),
  description: z.string().nullable(),
  /** As the server would get them; what is known to be secret is masked. */
  arguments: z.record(z.string(), z.unknown()),
  /** False in a list, where arguments and diffs are too long for one and are left out: read it by its id. */
  whole: z.boolean(),
  /** Arguments that hold a diff, as unified diff text. */
  diffs: z.array(z.object({ argument: z.string(), text: z.string() })),
  /** Why it was asked, in words, and by which rule. */
  reason: z.string(),
  rule: z.string(),
  /** Who may decide; administrators and the group's managers where nobody is named. */
  approvers: z.array(z.string()),
  fourEyes: z.boolean(),
  /** What is called may destroy something. */
  destructive: z.boolean().default(false),
  /** What an approval for the `session` would last for; null where the call belongs to none, or to one that is over. */
  lasts: z.enum(['run', 'session']).nullable(),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
  expiresAt: z.number(),
  decision: decisionSchema.nullable(),
  /** Where a person decides in a browser. */
  url: z.string(),
  /** Whether whoever asks may decide it now, and if not, why. */
  mayDecide: z.boolean(),
  whyNot: z.string().nullable(),
});
export type ApprovalView = z.infer<typeof approvalViewSchema>;

/** `GET /api/v1/approvals?status=pending|all`: the newest first; one's own and those one may decide. */
export const approvalListSchema = z.object({ approvals: z.array(approvalViewSchema) });
export type ApprovalList = z.infer<typeof approvalListSchema>;

/** `POST /api/v1/approvals/{id}/approve`. Answers the view. */
export const approveRequestSchema = z.strictObject({ scope: approvalScopeSchema.default('once') });
export type ApproveRequest = z.input<typeof approveRequestSchema>;

/** `POST /api/v1/approvals/{id}/deny`. Answers the view. */
export const denyRequestSchema = z.strictObject({ reason: z.string().trim().min(1).max(1000).optional() });
export type DenyRequest = z.input<typeof denyRequestSchema>;

/** What a webhook is told: a request that waits, or one that is over. Signed; see `x-toolgate-signature`. */
export const approvalWebhookEventSchema = z.object({
  type: z.enum(['approval.requested', 'approval.resolved']),
  approval: approvalViewSchema.omit({ mayDecide: true, whyNot: true }),
  /** Where the webhook's own word goes, signed the same way; null when it decides nothing. */
  decideUrl: z.string().nullable(),
});
export type ApprovalWebhookEvent = z.infer<typeof approvalWebhookEventSchema>;

/** `POST /api/v1/approvals/webhooks/{name}`: a webhook's word. */
export const approvalWordSchema = z.strictObject({
  id: z.string().min(1).max(100),
  verdict: z.enum(['approved', 'denied']),
  scope: approvalScopeSchema.default('once'),
  reason: z.string().trim().min(1).max(1000).optional(),
  /** Who decided, as the program knows them. */
  person: z.string().trim().min(1).max(200).optional(),
});

/** A standing approval: calls of one caller and one tool go through while it lasts. */
export const approvalGrantSchema = z.object({
  id: z.string(),
  subject: z.string(),
  server: z.string(),
  tool: z.string(),
  /** The run or session it is bound to, and which of them that is; null where it lasts for minutes. */
  session: z.string().nullable(),
  lasts: z.enum(['run', 'session']).nullable().default(null),
  by: z.string(),
  createdAt: z.number(),
  /** Milliseconds since the epoch; what is bound to a run or session may end before. */
  expiresAt: z.number(),
  uses: z.number().int(),
});
export type ApprovalGrant = z.infer<typeof approvalGrantSchema>;

/**
 * `GET /api/v1/approval-grants`; `DELETE /api/v1/approval-grants/{id}` takes one back. They are listed to those who may:
 * the caller, who gave it or could have, administrators and the group's managers.
 */
export const approvalGrantListSchema = z.object({ grants: z.array(approvalGrantSchema) });
export type ApprovalGrantList = z.infer<typeof approvalGrantListSchema>;

/**
 * `GET /api/v1/approvals/events`: server-sent events. `approvals` says how many wait that the listener may decide, at
 * once and whenever something changes, also of standing approvals; that they were used, once a second at most.
 */
export const approvalsChangedSchema = z.object({ waiting: z.number().int() });
export type ApprovalsChanged = z.infer<typeof approvalsChangedSchema>;
