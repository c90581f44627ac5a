import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ServerEntry } from '../registry/entry.ts';
import type { Call, ConsentRequest, Outcome, Refusal, Stage } from './call.ts';

/** A sign-in, and one for more than the first gave; a server that wants more after that is not satisfiable. */
const MAX_CONSENTS = 2;

/**
 * Tells a caller whose call lacks a sign-in where to give it. Where the caller can be told while it waits, the call
 * goes on once that is done: through all stages again, since it may have taken minutes.
 */
export function consentStage(
  request: (principal: Principal, entry: ServerEntry) => ConsentRequest | undefined,
  catalog: Pick<Catalog, 'entry' | 'settled'>,
): Stage {
  return async (call, next) => {
    let outcome = await next(call);
    for (let round = 0; round < MAX_CONSENTS; round++) {
      const lacking = lackOf(outcome);
      if (lacking === undefined || call.principal === undefined) return outcome;
      const entry = catalog.entry(lacking.serverId);
      const consent = entry && request(call.principal, entry);
      if (entry === undefined || consent === undefined) return outcome;
      const refusal = told(lacking.refusal, consent);
      if (call.onConsent === undefined) return { ok: false, refusal };
      if (!(await call.onConsent(consent, refusal.message))) return { ok: false, refusal };
      if (!(await consent.given(call.signal))) return unanswered(call, refusal);
      // It may be the first that lets the server be listed.
      await catalog.settled([entry.id], { afresh: true });
      outcome = await next(call);
    }
    return outcome;
  };
}

function lackOf(outcome: Outcome): { readonly serverId: string; readonly refusal: Refusal } | undefined {
  if (outcome.ok || outcome.refusal.lacksConsent === undefined) return undefined;
  return { serverId: outcome.refusal.lacksConsent, refusal: outcome.refusal };
}

function told(refusal: Refusal, consent: ConsentRequest): Refusal {
  return { ...refusal, message: `${refusal.message}. Sign in at ${consent.url}, then call again`, consent };
}

function unanswered({ signal }: Call, refusal: Refusal): Outcome {
  if (signal.aborted)
    return { ok: false, refusal: { reason: 'cancelled', message: 'the call was cancelled' } };
  return { ok: false, refusal };
}
