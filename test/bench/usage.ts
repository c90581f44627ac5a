import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used: CPU time of all its threads, without its children, and resident memory. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
  /** The process and all below it. */
  readonly processes: number;
}

/** Reads a process's usage; undefined where there is no Linux `/proc`. */
export function usageOf(pid: number): Usage | undefined {
  if (process.platform !== 'linux') return undefined;
  // Unlike /proc/PID/stat, which counts in ticks of 10 ms, schedstat counts in nanoseconds.
  const nanoseconds = readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, time) => sum + time, 0);
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpuMs: nanoseconds / 1e6, rssMb: Number(resident?.[1]) / 1024, processes: countTree(pid) };
}

function countTree(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean),
  );
  return children.reduce((sum, child) => sum + countTree(Number(child)), 1);
}
