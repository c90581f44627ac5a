import type { Budget } from '../config/policies/limits.ts';
import type { BudgetWebhookEvent } from '../contract/limits.ts';
import type { SignedPosts } from '../upstream/signed-posts.ts';
import type { Alert } from './alerts.ts';

/** Tells the program of the budget that an alert is about, where it names one. Does not wait; `onLost` as of the posts. */
export function tellOfBudget(
  budgets: readonly Budget[],
  { rule, holder, ...rest }: Alert,
  posts: SignedPosts,
  onLost: (error: unknown) => void,
): void {
  const webhook = budgets.find(({ name }) => name === rule)?.webhook;
  if (webhook === undefined) return;
  const event: BudgetWebhookEvent = { type: 'budget.reached', policy: rule, holder: { ...holder }, ...rest };
  posts.send({ ...webhook, name: rule }, event, onLost);
}
