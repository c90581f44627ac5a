import * as z from 'zod';

/** A counter of a rate limit or budget, as it stands. */
export const counterViewSchema = z.object({
  policy: z.string(),
  kind: z.enum(['rate-limit', 'budget']),
  mode: z.enum(['enforce', 'audit']),
  /** Whose counter it is: a value of each of the policy's `per`. */
  holder: z.record(z.string(), z.string()),
  unit: z.enum(['calls', 'tokens', 'cost']),
  /** As it is written: `5/min`, `500/month`. */
  limit: z.string(),
  amount: z.number(),
  used: z.number(),
  remaining: z.number(),
  /** Of a budget: when its period ends, in ms since the epoch. */
  resetsAt: z.number().nullable(),
});
export type CounterView = z.infer<typeof counterViewSchema>;

/** `GET /api/v1/limits`: the counters in use; one's own, and for administrators all. */
export const limitListSchema = z.object({ counters: z.array(counterViewSchema) });
export type LimitList = z.infer<typeof limitListSchema>;

/**
 * `GET /api/v1/events`, event `budget`: so much of a budget is spent, once for each threshold of a period. For
 * administrators, and for the principal whose own budget it is.
 */
export const budgetAlertSchema = z.object({
  type: z.literal('budget'),
  policy: z.string(),
  holder: z.record(z.string(), z.string()),
  /** The threshold that was reached, in percent. */
  percent: z.number(),
  unit: z.enum(['calls', 'tokens', 'cost']),
  used: z.number(),
  limit: z.string(),
});
export type BudgetAlert = z.infer<typeof budgetAlertSchema>;

/** An amount with its unit, for people: `$12.50`, `1200 tokens`. */
export function amountText(amount: number, unit: CounterView['unit']): string {
  return unit === 'cost' ? `$${amount.toFixed(2)}` : `${Math.round(amount)} ${unit}`;
}

/** Whose a counter is, for people: `team:finance`; empty for one that all share. */
export function holderText(holder: Readonly<Record<string, string>>): string {
  return Object.values(holder).join(', ');
}
