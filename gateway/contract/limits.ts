import * as z from 'zod';

/** A counter of a rate limit or budget, or the calls under way of one that limits those, as it stands. */
export const counterViewSchema = z.object({
  policy: z.string(),
  kind: z.enum(['rate-limit', 'budget']),
  mode: z.enum(['enforce', 'audit']),
  /** Whose counter it is: a value of each of the policy's `per`. */
  holder: z.record(z.string(), z.string()),
  unit: z.enum(['calls', 'tokens', 'cost', 'concurrency']),
  /** As it is written: `5/min`, `500/month`; of calls at once `4`. */
  limit: z.string(),
  amount: z.number(),
  used: z.number(),
  remaining: z.number(),
  /** Of a budget: when its period ends, in ms since the epoch. */
  resetsAt: z.number().nullable(),
  /** Of one that is used up: when one more call, token or cent fits, in ms since the epoch; null also where nobody knows. */
  roomAt: z.number().nullable(),
  /** Of a budget: its thresholds in percent, ascending. */
  alerts: z.array(z.number()),
});
export type CounterView = z.infer<typeof counterViewSchema>;

/** `GET /api/v1/limits`: the counters in use; one's own, and for administrators all, with those that all share. */
export const limitListSchema = z.object({ counters: z.array(counterViewSchema) });
export type LimitList = z.infer<typeof limitListSchema>;

/** So much of a budget is spent: told of once for each threshold of a period. */
const alertSchema = counterViewSchema
  .pick({ policy: true, mode: true, holder: true, unit: true, limit: true, amount: true, used: true })
  .extend({
    /** The threshold that was reached, in percent. */
    percent: z.number(),
    /** When its period ends, in ms since the epoch. */
    resetsAt: z.number().nullable(),
  });

/** `GET /api/v1/events`, event `budget`: for administrators, and for the principal whose own budget it is. */
export const budgetAlertSchema = alertSchema.extend({ type: z.literal('budget') });
export type BudgetAlert = z.infer<typeof budgetAlertSchema>;

/** The body of the signed POST to a budget's webhook. */
export const budgetWebhookEventSchema = alertSchema.extend({ type: z.literal('budget.reached') });
export type BudgetWebhookEvent = z.infer<typeof budgetWebhookEventSchema>;

/** An amount with its unit, for people: `$12.50`, `1200 tokens`, `3 at once`. */
export function amountText(amount: number, unit: CounterView['unit']): string {
  if (unit === 'concurrency') return `${amount} at once`;
  return unit === 'cost' ? `$${amount.toFixed(2)}` : `${Math.round(amount)} ${unit}`;
}

/** Whose a counter is, for people: `user:ann, model openai/gpt-4o, no feature`; empty for one that all share. */
export function holderText(holder: Readonly<Record<string, string>>): string {
  return Object.entries(holder)
    .map(([dimension, value]) => {
      const name = dimension.replace(/^metadata\./, '');
      if (value === '-') return `no ${name}`;
      return dimension === 'principal' || dimension === 'team' ? value : `${name} ${value}`;
    })
    .join(', ');
}
