import { createBreaker, type Breaker, type BreakerState } from './breaker.ts';
import { createBulkhead, type Bulkhead } from './bulkhead.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { createToolErrors, type ToolErrors } from './tool-errors.ts';

/** What is known of how a server does. */
export interface ServerHealth {
  readonly breaker: Breaker;
  readonly bulkhead: Bulkhead;
  readonly budget: RetryBudget;
  retries: number;
}

/** A server's health as it is shown. */
export interface HealthView {
  readonly circuit: BreakerState;
  /** When the next call will be let through, in ms since the epoch. */
  readonly opensAgainAt: number | undefined;
  /** Tries after the first, since the gateway's start. */
  readonly retries: number;
  readonly underWay: number;
}

/** How all servers do. */
export interface Resilience {
  server(id: string): ServerHealth;
  /** Undefined of a server that was not called yet. */
  view(id: string): HealthView | undefined;
  readonly toolErrors: ToolErrors;
  /** Forgets how servers did: a person has seen to it. */
  reset(ids?: readonly string[]): void;
  /** Called when a circuit opens, is tried, or closes. Returns the way to stop it. */
  onChange(listener: (id: string, state: BreakerState) => void): () => void;
}

export function createResilience(now: () => number): Resilience {
  const servers = new Map<string, ServerHealth>();
  const listeners = new Set<(id: string, state: BreakerState) => void>();
  const tell = (id: string, state: BreakerState): void => {
    for (const listener of listeners) listener(id, state);
  };
  return {
    toolErrors: createToolErrors(now),
    server: (id) => {
      let health = servers.get(id);
      if (health === undefined) {
        const breaker = createBreaker(now, (state) => tell(id, state));
        health = { breaker, bulkhead: createBulkhead(), budget: createRetryBudget(), retries: 0 };
        servers.set(id, health);
      }
      return health;
    },
    view: (id) => {
      const health = servers.get(id);
      return (
        health && {
          circuit: health.breaker.state(),
          opensAgainAt: health.breaker.opensAgainAt(),
          retries: health.retries,
          underWay: health.bulkhead.underWay(),
        }
      );
    },
    reset: (ids = [...servers.keys()]) => {
      for (const id of ids) {
        const health = servers.get(id);
        if (health === undefined) continue;
        servers.set(id, { ...health, breaker: createBreaker(now, (state) => tell(id, state)) });
        tell(id, 'closed');
      }
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
