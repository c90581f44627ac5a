import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PROGRAM, ROOT } from '../support/gateway.ts';
import { judgeOnion, measureOnion } from './onion.ts';
import { judgeAccess, measureAccess } from './access.ts';
import type { Cell, Failure, Measured } from './generator.ts';
import type { Path } from './path.ts';
import { startPaths } from './paths.ts';
import { judge, LOADS, MANY, READING, renderTable, summarise, type Load, type Row } from './report.ts';
import { usageOf } from './usage.ts';

/**
 * `npm run bench`: what the gateway costs a `tools/call`, side by side with a direct call, a hand-written
 * pass-through, a proxy made from the MCP SDK and other gateways of npm. It fails when a call is answered wrongly, never for slowness.
 */

const USAGE = `Usage: npm run bench -- [--quick] [--json]
  --quick   takes seconds instead of five minutes; only good to see that it works
  --json    prints the numbers as JSON`;

interface Plan {
  readonly repeats: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** For each path once: until its code is compiled, its numbers are of no use. */
  readonly firstWarmUpMs: number;
}
const FULL: Plan = { repeats: 3, warmUpMs: 200, durationMs: 2_000, firstWarmUpMs: 1_500 };
const QUICK: Plan = { repeats: 1, warmUpMs: 100, durationMs: 400, firstWarmUpMs: 200 };

/** For the connections and the last calls of a cell. */
const PATIENCE_MS = 20_000;
const SETTLE_MS = 1_000;
/** One-minute load per core from which on other programs' work distorts the numbers. */
const BUSY = 0.25;

async function bench(plan: Plan, json: boolean): Promise<void> {
  const cores = availableParallelism();
  const load = loadavg()[0] ?? 0;
  const machine = `${cores} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.version}, load ${load.toFixed(2)} at the start`;
  if (load > BUSY * cores) {
    console.error(
      `Warning: the machine is busy (load ${load.toFixed(2)} on ${cores} cores): the numbers are distorted.`,
    );
  }
  if (!existsSync(PROGRAM)) execFileSync(process.execPath, ['esbuild.mjs'], { cwd: ROOT, stdio: 'inherit' });

  const closing: (() => unknown)[] = [];
  const close = (): Promise<unknown> => Promise.allSettled(closing.splice(0).map((end) => end()));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(1)));
  }
  try {
    const { paths, gatewayReadyMs } = await startPaths(closing);
    await sleep(SETTLE_MS);
    const idle = paths.flatMap(({ name, pid }) =>
      name === 'toolgate' && pid ? [usageOf(pid)?.rssMb ?? NaN] : [],
    );
    const generator = fork(join(import.meta.dirname, 'generator.ts'));
    closing.push(() => generator.kill());
    const rows = await measureAll(generator, paths, plan);
    const verdicts = [
      ...judge(rows, { readyMs: gatewayReadyMs, idleRssMb: Math.max(...idle) }),
      judgeAccess(await measureAccess()),
      judgeOnion(await measureOnion()),
    ];
    if (json) {
      console.log(JSON.stringify({ machine, rows, verdicts }, undefined, 2));
      return;
    }
    console.log(`MCP tools/call, medians of ${plan.repeats} × ${plan.durationMs / 1000} s; ${machine}\n`);
    console.log(`${renderTable(rows)}\n\n${READING}\n`);
    for (const { budget, measured, met } of verdicts)
      console.log(`${met ? 'met   ' : 'MISSED'}  ${budget}; measured ${measured}`);
  } finally {
    await close();
  }
}

/** Goes round all cells, again and again, so that a noisy moment of the machine hits all paths alike. */
async function measureAll(
  generator: ChildProcess,
  paths: readonly Path[],
  plan: Plan,
): Promise<readonly Row[]> {
  const { warmUpMs, durationMs, firstWarmUpMs } = plan;
  for (const path of paths)
    await measure(generator, path, MANY, { warmUpMs: firstWarmUpMs, durationMs: 100 });
  const cells = LOADS.flatMap((load) =>
    paths
      .filter(({ maxSessions = Infinity }) => load.sessions <= maxSessions)
      .map((path) => ({ load, path, measured: [] as Measured[] })),
  );
  for (let round = 1; round <= plan.repeats; round++) {
    for (const { load, path, measured } of round % 2 === 0 ? cells.toReversed() : cells) {
      measured.push(await measure(generator, path, load, { warmUpMs, durationMs }));
    }
    if (process.stderr.isTTY) console.error(`round ${round} of ${plan.repeats} is done`);
  }
  const rows = cells.map(({ path, load, measured }) => summarise(path, load, measured));
  return rows.toSorted((a, b) => Number(a.transport === 'http') - Number(b.transport === 'http'));
}

async function measure(
  generator: ChildProcess,
  { name, transport, target, pid }: Path,
  { name: load, sessions, rate }: Load,
  times: Pick<Cell, 'warmUpMs' | 'durationMs'>,
): Promise<Measured> {
  const where = `${name} over ${transport}, ${load}`;
  const cell: Cell = {
    target,
    sessions,
    ...times,
    ...(rate !== undefined && { rate }),
    ...(pid !== undefined && { pid }),
  };
  const over = new AbortController();
  const patience = AbortSignal.timeout(times.warmUpMs + times.durationMs + PATIENCE_MS);
  const signal = AbortSignal.any([patience, over.signal]);
  const event = (name: string): Promise<unknown[]> => once(generator, name, { signal });
  const ended = event('exit').then(() => [{ failure: 'the load generator ended' }]);
  const unanswered = [{ failure: 'calls were left without an answer' }];
  const awaited = Promise.race([event('message'), ended]).catch(() => unanswered);
  generator.send(cell);
  const [answer] = (await awaited.finally(() => over.abort())) as [Measured | Failure];
  if ('failure' in answer) throw new Error(`${where}: ${answer.failure}`);
  return answer;
}

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) console.log(USAGE);
else {
  try {
    await bench(values.quick ? QUICK : FULL, values.json ?? false);
  } catch (error) {
    console.error(`The bench failed: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
