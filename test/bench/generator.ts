import { setTimeout as sleep } from 'node:timers/promises';
import { openSessions, type Session, type Target } from './sessions.ts';
import { usageOf } from './usage.ts';

/**
 * The load generator, a process of its own. Its parent sends a `Cell`; it answers with `Measured`, or with the
 * `Failure` that made the cell worthless, and then takes the next.
 */

export interface Cell {
  readonly target: Target;
  readonly sessions: number;
  /** Calls per second over all sessions; without it each session calls as soon as it has its answer. */
  readonly rate?: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** The proxy whose usage is measured. */
  readonly pid?: number;
}

export interface Measured {
  readonly callsPerSecond: number;
  /** Milliseconds from a call to its answer; left out when none came in time, as is `cpuPerCall`. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** Milliseconds of the proxy's CPU time. */
  readonly cpuPerCall?: number;
  readonly rssMb?: number;
  /** The proxy's own process and all below it. */
  readonly processes?: number;
}

export interface Failure {
  readonly failure: string;
}

async function measure(cell: Cell): Promise<Measured> {
  const sessions = await openSessions(cell.target, cell.sessions);
  const begin = performance.now() + cell.warmUpMs;
  const end = begin + cell.durationMs;
  const took: number[] = [];
  const due = cell.rate === undefined ? undefined : schedule(cell.rate);
  const working = Promise.all(
    sessions.map((session, index) => work(session, `session ${index}`, { begin, end, took, due })),
  );
  const usage = (): ReturnType<typeof usageOf> => (cell.pid === undefined ? undefined : usageOf(cell.pid));
  await Promise.race([sleep(cell.warmUpMs), working]);
  const before = usage();
  await Promise.race([sleep(Math.max(0, end - performance.now())), working]);
  const after = usage();
  await working;
  await Promise.all([...new Set(sessions)].map((session) => session.close()));

  took.sort((a, b) => a - b);
  const quantile = (q: number): number => took[Math.min(took.length - 1, Math.floor(took.length * q))] ?? NaN;
  return {
    callsPerSecond: (took.length * 1000) / cell.durationMs,
    ...(after && { rssMb: after.rssMb, processes: after.processes }),
    ...(took.length > 0 && { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999) }),
    ...(before && after && took.length > 0 && { cpuPerCall: (after.cpuMs - before.cpuMs) / took.length }),
  };
}

interface Window {
  readonly begin: number;
  readonly end: number;
  /** The times of the calls that were answered inside the window. */
  readonly took: number[];
  /** When the next call is due, for a load of a fixed rate. */
  readonly due: (() => number) | undefined;
}

async function work(session: Session, name: string, { begin, end, took, due }: Window): Promise<void> {
  for (let call = 1; ; call++) {
    const from = due === undefined ? performance.now() : await turn(due());
    if (from >= end) return;
    await session.echo(`${name}, call ${call}`);
    const answered = performance.now();
    if (answered >= begin && answered < end) took.push(answered - from);
  }
}

/** Waits for a call's turn. A call that is late because no session was free has been waiting since it was due. */
async function turn(due: number): Promise<number> {
  const wait = due - performance.now();
  if (wait <= 0) return due;
  await sleep(wait);
  return performance.now();
}

function schedule(rate: number): () => number {
  const start = performance.now();
  let calls = 0;
  return () => start + (calls++ * 1000) / rate;
}

process.on('message', (cell: Cell) => {
  measure(cell).then(
    (measured) => process.send?.(measured),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
