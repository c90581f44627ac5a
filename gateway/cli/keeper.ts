import type { ChildMessage, ParentMessage } from '../contract/ipc.ts';

/** Asks the parent process to keep secrets. */
export interface Keeper {
  /** Resolves when the secret is kept, null being a deletion. Rejects with words for a person. */
  keep(name: string, value: string | null): Promise<void>;
  /** Takes the parent's answer. */
  settle(answer: Extract<ParentMessage, { type: 'kept' }>): void;
}

/** VS Code's secret storage asks the system's keyring, which may ask the user. */
const TIMEOUT_MS = 30_000;

export function createKeeper(send: (message: ChildMessage) => void): Keeper {
  const waiting = new Map<number, (error: string | undefined) => void>();
  let last = 0;
  return {
    keep: (name, value) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        const settle = (error: string | undefined): void => {
          clearTimeout(timer);
          waiting.delete(id);
          if (error === undefined) resolve();
          else reject(new Error(error));
        };
        const timer = setTimeout(
          () => settle(`VS Code did not say within ${TIMEOUT_MS / 1000} s that it kept the secret`),
          TIMEOUT_MS,
        ).unref();
        waiting.set(id, settle);
        send({ type: 'keep', id, name, value });
      }),
    settle: ({ id, error }) => waiting.get(id)?.(error),
  };
}
