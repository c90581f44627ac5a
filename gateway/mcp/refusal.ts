import type { JsonObject } from '../contract/json.ts';
import type { Refusal } from '../pipeline/call.ts';

/** What of a refusal a program can go by. */
export function refusalFacts({ reason, rule, retryAfterMs, approval }: Refusal): JsonObject {
  return {
    reason,
    ...(rule !== undefined && { rule }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(approval !== undefined && { approval: { id: approval.id, url: approval.url } }),
  };
}
