import type { Principal } from '../identity/principal.ts';
import { AgentError } from './errors.ts';
import type { Run } from './run.ts';

/** The runs that are under way and, for a while, those that are over. */
export interface Runs {
  /** Throws (429) when as many runs as allowed are under way, of all or of this subject. */
  admit(subject: string): void;
  add(run: Run): void;
  /** The principal's own run. Any other is the same error (404) as one that does not exist. */
  get(principal: Principal, id: string): Run;
  /** Whether a run is under way, or was when they were closed: then it may go on after a restart. */
  goesOn(id: string): boolean;
  /** Cancels what is under way, but for what goes on after a restart, and forgets everything. */
  close(): void;
}

export interface RunsLimits {
  /** Runs under way at once. */
  readonly concurrent: number;
  /** Of one subject: a run may wait for a person for long, and others have to find a place meanwhile. */
  readonly each: number;
  /** Runs kept after their end. */
  readonly kept: number;
  /** Characters of events of all runs kept after their end. */
  readonly keptSize: number;
  /** Milliseconds a run is kept after its end. */
  readonly keptFor: number;
}

export const RUNS_LIMITS: RunsLimits = {
  concurrent: 64,
  each: 32,
  kept: 200,
  keptSize: 64 * 1024 * 1024,
  keptFor: 10 * 60_000,
};

/** A run may have seen what a narrowed token does not reach; so that one sees its own runs only. */
function isOwn({ subject, tokenId }: Run, principal: Principal): boolean {
  const narrowed = Object.values(principal.scope).some((part) => part !== null);
  return subject === principal.subject && (!narrowed || tokenId === principal.tokenId);
}

export function createRuns(limits: RunsLimits = RUNS_LIMITS): Runs {
  const active = new Map<string, Run>();
  /** The oldest first. */
  const ended = new Map<string, { run: Run; timer: NodeJS.Timeout }>();
  let closed = false;

  function forget(id: string): void {
    clearTimeout(ended.get(id)?.timer);
    ended.delete(id);
  }

  function keep(run: Run): void {
    active.delete(run.id);
    if (closed) return;
    ended.set(run.id, { run, timer: setTimeout(() => forget(run.id), limits.keptFor).unref() });
    let size = [...ended.values()].reduce((sum, one) => sum + one.run.events.size(), 0);
    for (const [id, one] of ended) {
      if (ended.size <= limits.kept && size <= limits.keptSize) break;
      size -= one.run.events.size();
      forget(id);
    }
  }

  return {
    admit(subject) {
      const own = [...active.values()].filter((run) => run.subject === subject).length;
      if (active.size < limits.concurrent && own < limits.each) return;
      const [count, whose] =
        own < limits.each ? [limits.concurrent, 'agent runs'] : [limits.each, 'agent runs of yours'];
      throw new AgentError(
        `${count} ${whose} are under way, as many as this gateway allows; try again when one is over.`,
        {
          status: 429,
          code: 'too_many_runs',
          retryAfter: 5,
        },
      );
    },
    add(run) {
      active.set(run.id, run);
      void run.over.then(() => keep(run));
    },
    get(principal, id) {
      const run = active.get(id) ?? ended.get(id)?.run;
      if (run !== undefined && isOwn(run, principal)) return run;
      throw new AgentError(
        `There is no run "${id}" of yours. A run is kept for ${limits.keptFor / 60_000} minutes after its end.`,
        {
          status: 404,
          code: 'run_not_found',
        },
      );
    },
    goesOn: (id) => closed || active.has(id),
    close() {
      closed = true;
      for (const run of active.values()) run.suspend();
      for (const id of [...ended.keys()]) forget(id);
    },
  };
}
