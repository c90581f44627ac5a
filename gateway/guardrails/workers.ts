import { Worker } from 'node:worker_threads';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { JsonObject } from '../contract/json.ts';
import type { ListedKind, Verdict } from './listed.ts';
import type { Judged } from './text-guard.ts';

/** What the thread is asked: to judge the texts of a value by a guard, or to search things that a server lists, as JSON. */
export type Question =
  | { readonly config: GuardrailConfig; readonly texts: readonly string[] }
  | { readonly kind: ListedKind; readonly texts: readonly string[] };
/** Null of what is clean; `shown` is JSON, null where nothing may be shown. */
export type Found = { readonly found: readonly string[]; readonly shown: string | null } | null;
export type Answer =
  { readonly judged: Judged } | { readonly searched: readonly Found[] } | { readonly problem: string };

/** Another thread, where large values and long lists are looked at while the gateway goes on. */
export interface TextWorkers {
  /** Rejects when there is no answer in time; what takes longer is broken off. */
  judge(config: GuardrailConfig, texts: readonly string[], timeout: number): Promise<Judged>;
  /** The verdict on each thing of a list, given as JSON; undefined on what is clean. Rejects as `judge` does. */
  search(
    kind: ListedKind,
    texts: readonly string[],
    timeout: number,
  ): Promise<readonly (Verdict | undefined)[]>;
  close(): void;
}

interface Job {
  readonly question: Question;
  readonly done: (answer: Answer) => void;
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
      if ('problem' in answer) job?.fail(answer.problem);
      else job?.done(answer);
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
    (worker ??= start()).postMessage(active.question);
  };
  const ask = (question: Question, timeout: number): Promise<Answer> =>
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
        ...{ question, fail },
        done: (answer) => {
          settle();
          resolve(answer);
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
    });

  return {
    judge: async (config, texts, timeout) => {
      const answer = await ask({ config, texts }, timeout);
      if ('judged' in answer) return answer.judged;
      throw new Error('the thread of the guardrails did not judge');
    },
    search: async (kind, texts, timeout) => {
      const answer = await ask({ kind, texts }, timeout);
      if ('searched' in answer && answer.searched.length === texts.length)
        return answer.searched.map(verdictOf);
      throw new Error('the thread of the guardrails did not search all');
    },
    close: () => {
      clearTimeout(idle);
      const open = [...(active === undefined ? [] : [active]), ...waiting.splice(0)];
      end();
      for (const job of open) job.fail('the gateway is stopping');
    },
  };
}

function verdictOf(found: Found): Verdict | undefined {
  if (found === null) return undefined;
  const { shown } = found;
  return { found: found.found, shown: shown === null ? undefined : (JSON.parse(shown) as JsonObject) };
}
