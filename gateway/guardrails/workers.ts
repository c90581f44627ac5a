import { Worker } from 'node:worker_threads';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { Judged } from './text-guard.ts';

/** What the thread is asked, and what it answers. */
export interface Question {
  readonly config: GuardrailConfig;
  readonly texts: readonly string[];
}
export type Answer = { readonly judged: Judged } | { readonly problem: string };

/** Another thread, where guards look at large values while the gateway goes on. */
export interface TextWorkers {
  /** Rejects when there is no answer in time; what takes longer is broken off. */
  judge(config: GuardrailConfig, texts: readonly string[], timeout: number): Promise<Judged>;
  close(): void;
}

interface Job extends Question {
  readonly done: (judged: Judged) => void;
  readonly fail: (problem: string) => void;
}

/** Values that wait for the thread; another one is not looked at, and its guard's mode says what that comes to. */
const MOST_WAITING = 64;
/** A thread that has nothing to do ends after so long. */
const IDLE_MS = 30_000;
/** Beside the built program, or beside this source. */
const FILE = import.meta.url.endsWith('.ts') ? './worker.ts' : './guard-worker.js';

/** Starts the thread with the first large value there is. One value at a time: a thread is memory. */
export function createTextWorkers(file: URL = new URL(FILE, import.meta.url)): TextWorkers {
  const waiting: Job[] = [];
  let worker: Worker | undefined;
  let active: Job | undefined;
  let idle: NodeJS.Timeout | undefined;

  const end = (): void => {
    void worker
      ?.removeAllListeners()
      .on('error', () => undefined)
      .terminate();
    worker = undefined;
    active = undefined;
  };
  const start = (): Worker => {
    const started = new Worker(file, { name: 'guardrails' });
    started.unref();
    started.on('message', (answer: Answer) => {
      const job = active;
      active = undefined;
      if ('judged' in answer) job?.done(answer.judged);
      else job?.fail(answer.problem);
      next();
    });
    const broke = (problem: string): void => {
      const job = active;
      end();
      job?.fail(problem);
      next();
    };
    started.on('error', (error: Error) => broke(error.message));
    started.on('exit', () => broke('the thread of the guardrails has ended'));
    return started;
  };
  const next = (): void => {
    if (active !== undefined) return;
    active = waiting.shift();
    clearTimeout(idle);
    if (active === undefined) {
      idle = setTimeout(end, IDLE_MS).unref();
      return;
    }
    const { config, texts } = active;
    (worker ??= start()).postMessage({ config, texts } satisfies Question);
  };

  return {
    judge: (config, texts, timeout) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= MOST_WAITING) {
          reject(new Error(`${MOST_WAITING} large values wait to be looked at already`));
          return;
        }
        const settle = (): void => clearTimeout(timer);
        const fail = (problem: string): void => {
          settle();
          reject(new Error(problem));
        };
        const job: Job = {
          ...{ config, texts, fail },
          done: (judged) => {
            settle();
            resolve(judged);
          },
        };
        const timer = setTimeout(() => {
          if (active === job) end();
          else waiting.splice(waiting.indexOf(job), 1);
          fail(`no answer within ${timeout} ms`);
          next();
        }, timeout);
        waiting.push(job);
        next();
      }),
    close: () => {
      clearTimeout(idle);
      const open = [...(active === undefined ? [] : [active]), ...waiting.splice(0)];
      end();
      for (const job of open) job.fail('the gateway is stopping');
    },
  };
}
