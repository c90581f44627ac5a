import { ModelError } from './model.ts';

/** One deadline at a time over a request, joined with the caller's own signal. */
export interface Patience {
  /** Aborted when the deadline passes or the caller gives up. */
  readonly signal: AbortSignal;
  /** Replaces the deadline: `ms` from now, with what to say when it passes. */
  expect(ms: number, message: string): void;
  /** Why `signal` was aborted; undefined while it was not. */
  reason(): ModelError | undefined;
  /** True when it was the caller who gave up. */
  cancelled(): boolean;
  /** Must be called once the request is over. */
  end(): void;
}

export function createPatience(caller: AbortSignal): Patience {
  const controller = new AbortController();
  let reason: ModelError | undefined;
  let timer: NodeJS.Timeout | undefined;

  const stop = (error: ModelError): void => {
    reason ??= error;
    controller.abort(reason);
  };
  const onCancel = (): void => {
    stop(new ModelError('cancelled', 'The model call was cancelled.'));
  };
  if (caller.aborted) onCancel();
  else caller.addEventListener('abort', onCancel, { once: true });

  return {
    signal: controller.signal,
    expect(ms, message) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        stop(new ModelError('timeout', message));
      }, ms);
    },
    reason: () => reason,
    cancelled: () => caller.aborted,
    end() {
      clearTimeout(timer);
      caller.removeEventListener('abort', onCancel);
    },
  };
}
