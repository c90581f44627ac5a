/** Work that is done one after another. */
export interface Line {
  /** Begins at once when nothing waits. False, with nothing done, when as much waits as may. */
  push(work: () => Promise<void> | void): boolean;
  /** Resolves when nothing waits any more, or after so many milliseconds; undefined when nothing does. */
  settled(ms: number): Promise<void> | undefined;
}

/** `most` may wait at once. Work that fails keeps no other from being done. */
export function createLine(most: number): Line {
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
    settled: (ms) => {
      if (waiting === 0) return undefined;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
      return Promise.race([last, late]).finally(() => clearTimeout(timer));
    },
  };
}
