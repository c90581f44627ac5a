import { Worker } from 'node:worker_threads';
import type { Answer, Order } from './activity-worker.ts';

/** The thread that keeps the activity record, as who started it sees it. */
export interface ActivityThread {
  /** Rejects with the thread's reason, when it breaks, and when it does not answer within a minute. */
  ask(order: Order): Promise<unknown>;
  /** Ends the thread, if there is one, when it has done what it was asked, and after some seconds in any case. */
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A purge of a large file takes its time. */
const ANSWER_MS = 60_000;
const CLOSE_MS = 5_000;
/** A thread that has nothing to do ends after so long, and gives its memory back. */
const IDLE_MS = 30_000;
/** Megabytes. It holds some thousand rows at most; left alone, it would take far more before it cleans up. */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };
/** Beside the built program, or beside this source. */
const FILE = import.meta.url.endsWith('.ts') ? './activity-worker.ts' : './activity-worker.js';

/** Starts the thread with the first order, and another with the first after it ended or broke. */
export function createActivityThread(
  file: string,
  { program = new URL(FILE, import.meta.url), idleMs = IDLE_MS }: { program?: URL; idleMs?: number } = {},
): ActivityThread {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let last = 0;
  let closed = false;
  const idle = setTimeout(() => rest(), idleMs).unref();

  const leave = (): Worker | undefined => {
    const left = worker?.removeAllListeners().on('error', () => undefined);
    worker = undefined;
    return left;
  };
  const rest = (): void => {
    if (pending.size === 0) leave()?.postMessage({ id: 0, method: 'close' });
    else idle.refresh();
  };
  const broke = (why: string): void => {
    leave();
    for (const { reject } of pending.values()) reject(new Error(why));
    pending.clear();
  };
  const hear = (answer: Answer): void => {
    const asked = pending.get(answer.id);
    pending.delete(answer.id);
    if ('problem' in answer) asked?.reject(new Error(answer.problem));
    else asked?.resolve(answer.value);
  };
  const start = (): Worker =>
    new Worker(program, { name: 'activity', workerData: file, resourceLimits: LIMITS })
      .on('message', hear)
      .on('error', (error: Error) => broke(`the activity record's thread broke: ${error.message}`))
      .on('exit', () => broke("the activity record's thread has ended"));
  const ask = (order: Order, patience: number): Promise<unknown> => {
    if (closed) return Promise.reject(new Error('the activity record is closed'));
    const id = (last += 1);
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<unknown>((resolve, reject) => {
      pending.set(id, { resolve, reject });
      timer = setTimeout(() => {
        pending.delete(id);
        reject(new Error(`the activity record did not answer within ${patience / 1000} s`));
      }, patience);
    });
    (worker ??= start()).postMessage({ id, ...order });
    idle.refresh();
    return answer.finally(() => clearTimeout(timer));
  };

  return {
    ask: (order) => ask(order, ANSWER_MS),
    close: async () => {
      const asked = worker && ask({ method: 'close' }, CLOSE_MS);
      closed = true;
      clearTimeout(idle);
      await asked?.catch(() => undefined);
      await leave()?.terminate();
      broke('the activity record is closed');
    },
  };
}
