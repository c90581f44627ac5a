import type { BreakerTerms } from '../config/policies/resilience.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Whether a call may be made. */
export type Leave =
  | { readonly allowed: true; readonly probe: boolean }
  | { readonly allowed: false; readonly retryAfterMs: number };

/** How a call ended, to a breaker: `neither` says nothing of the server. */
export type Ending = 'well' | 'failed' | 'neither';

/**
 * A circuit breaker: after so many failures within a window no call is made for a while; then one is, on trial, and
 * by how it ends the circuit closes, or stays open for twice as long.
 */
export interface Breaker {
  leave(terms: BreakerTerms): Leave;
  /** Every call that was given leave says how it ended. */
  ended(leave: Extract<Leave, { allowed: true }>, ending: Ending, terms: BreakerTerms): void;
  readonly state: () => BreakerState;
  /** When the next call will be let through, in ms since the epoch; undefined unless it is open. */
  readonly opensAgainAt: () => number | undefined;
}

const LONGEST_MS = 5 * 60_000;
const PROBE_RETRY_MS = 1_000;

export function createBreaker(now: () => number, onChange: (state: BreakerState) => void): Breaker {
  /** The newest last. */
  let failures: number[] = [];
  let until: number | undefined;
  let cooldown = 0;
  let probing = false;
  const state = (): BreakerState =>
    until === undefined ? 'closed' : probing || now() >= until ? 'half-open' : 'open';
  const open = (ms: number): void => {
    cooldown = Math.min(ms, LONGEST_MS);
    until = now() + cooldown;
    failures = [];
    onChange('open');
  };
  return {
    leave: () => {
      if (until === undefined) return { allowed: true, probe: false };
      if (now() < until) return { allowed: false, retryAfterMs: until - now() };
      if (probing) return { allowed: false, retryAfterMs: PROBE_RETRY_MS };
      probing = true;
      onChange('half-open');
      return { allowed: true, probe: true };
    },
    ended: ({ probe }, ending, terms) => {
      if (probe) {
        probing = false;
        if (ending === 'failed') open(cooldown * 2);
        else if (ending === 'well') {
          until = undefined;
          onChange('closed');
        }
        return;
      }
      // What began before it opened says nothing new.
      if (ending !== 'failed' || until !== undefined) return;
      const from = now() - terms.window;
      failures = [...failures.filter((at) => at > from), now()];
      if (failures.length >= terms.failures) open(terms.cooldown);
    },
    state,
    opensAgainAt: () => (state() === 'open' ? until : undefined),
  };
}
