import * as z from 'zod';
import { approvalPolicySchema, approvalWebhookSchema } from './approvals.ts';
import { boundsPolicySchema } from './bounds.ts';
import { cachePolicySchema } from './cache.ts';
import { guardrailSchema } from './guardrails.ts';
import { budgetSchema, rateLimitSchema } from './limits.ts';
import { resiliencePolicySchema } from './resilience.ts';

/** What holds for calls beyond who may make them. */
export const policiesSchema = z
  .strictObject({
    guardrails: z.array(guardrailSchema).default([]),
    cache: z.array(cachePolicySchema).default([]),
    bounds: z.array(boundsPolicySchema).default([]),
    resilience: z.array(resiliencePolicySchema).default([]),
    rateLimits: z.array(rateLimitSchema).default([]),
    budgets: z.array(budgetSchema).default([]),
    approvals: z.array(approvalPolicySchema).default([]),
    approvalWebhooks: z.array(approvalWebhookSchema).default([]),
  })
  .check((context) => {
    // A counter is found by its rule's name, whichever of the two the rule is.
    const counted = new Set<string>();
    for (const [section, policies] of Object.entries(context.value)) {
      const names = section === 'rateLimits' || section === 'budgets' ? counted : new Set<string>();
      policies.forEach((policy, index) => {
        if (policy.name === undefined) return;
        if (!names.has(policy.name)) names.add(policy.name);
        else
          context.issues.push({
            code: 'custom',
            input: context.value,
            path: [section, index, 'name'],
            message: `the name "${policy.name}" is taken; names must be unique${names === counted ? ' among rate limits and budgets' : ' here'}`,
          });
      });
    }
  });
export type PoliciesConfig = z.infer<typeof policiesSchema>;
