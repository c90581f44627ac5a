/** Work that waits for guardrails, and is done one after another. */
export interface Line {
  /** Begins at once when nothing waits. False, with nothing done, when as much waits as may. */
  push(work: () => Promise<void> | void): boolean;
  /** Resolves when nothing waits any more, or after `settleMs`; undefined when nothing does. */
  settled(): Promise<void> | undefined;
}

/** What may wait at once, and for how long a result waits for what was said before it. */
const BOUNDS = { most: 256, settleMs: 5_000 };

/** Work that fails keeps no other from being done. */
export function createLine({ most, settleMs } = BOUNDS): Line {
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  return {
    push: (work) => {
      if (waiting >= most) return false;
      const done = async (): Promise<void> => {
        try {
          await work();
        } catch {
          // Nobody waits for it.
        } finally {
          waiting -= 1;
        }
      };
      last = ++waiting === 1 ? done() : last.then(done);
      return true;
    },
    settled: () => {
      if (waiting === 0) return undefined;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, settleMs)));
      return Promise.race([last, late]).finally(() => clearTimeout(timer));
    },
  };
}
