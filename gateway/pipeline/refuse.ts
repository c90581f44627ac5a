import type { JsonObject } from '../contract/json.ts';
import type { Outcome, Refusal, RefusalReason } from './call.ts';

/** The end of a call that a stage refuses. */
export function refuse(reason: RefusalReason, message: string, rule?: string): Promise<Outcome> {
  return Promise.resolve(refused({ reason, message, ...(rule !== undefined && { rule }) }));
}

/** What of a refusal are a server's own words. */
export function wordsOf({ reason, message, upstreamError }: Refusal): JsonObject | undefined {
  if (upstreamError === undefined && reason !== 'upstream-unavailable') return undefined;
  return { message, ...(upstreamError !== undefined && { upstreamError }) };
}

export function refused(refusal: Refusal): Outcome {
  return { ok: false, refusal };
}
