import type { Outcome, Refusal, RefusalReason } from './call.ts';

/** The end of a call that a stage refuses. */
export function refuse(reason: RefusalReason, message: string, rule?: string): Promise<Outcome> {
  return Promise.resolve(refused({ reason, message, ...(rule !== undefined && { rule }) }));
}

export function refused(refusal: Refusal): Outcome {
  return { ok: false, refusal };
}
