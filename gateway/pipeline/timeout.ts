import type { Catalog } from '../registry/catalog.ts';
import { TimedOut, type Call, type Outcome, type Stage } from './call.ts';
import { refused } from './refuse.ts';
import { serverOf } from './way.ts';

/**
 * Ends a call that takes longer than its server's `timeouts` allow, all its tries together; the server is told to stop
 * working on it. While the server waits for the caller's own answer, its time is extended.
 */
export function timeoutStage(catalog: Catalog): Stage {
  return async (call, next) => {
    const timeouts = catalog.entry(serverOf(call, catalog))?.config.timeouts;
    const limit = timeouts?.call ?? 0;
    const timer = new AbortController();
    const expire = (): void => {
      if (call.own?.waiting() === true) handle = setTimeout(expire, limit);
      else timer.abort(timedOut('call', limit));
    };
    let handle = setTimeout(expire, limit);
    const follow = (): void => timer.abort(call.signal.reason);
    call.signal.addEventListener('abort', follow, { once: true });
    if (call.signal.aborted) follow();
    const silence = watchSilence(call, timeouts?.firstByte, timeouts?.idle, timer);
    try {
      const outcome = await next({ ...call, ...silence?.heard, signal: timer.signal });
      return explained(outcome, timer.signal);
    } finally {
      clearTimeout(handle);
      silence?.end();
      call.signal.removeEventListener('abort', follow);
    }
  };
}

function explained(outcome: Outcome, signal: AbortSignal): Outcome {
  const why: unknown = signal.reason;
  if (outcome.ok || outcome.refusal.reason !== 'cancelled' || !(why instanceof TimedOut)) return outcome;
  const { message, setting } = why;
  return refused({ reason: 'timeout', message, rule: setting, fault: { cause: 'timeout', unsent: false } });
}

/** Ends a call of which nothing is heard. Undefined where nothing is said of that. */
function watchSilence(
  call: Call,
  firstByte: number | undefined,
  idle: number | undefined,
  timer: AbortController,
): { readonly heard: Pick<Call, 'onProgress'>; readonly end: () => void } | undefined {
  if (firstByte === undefined && idle === undefined) return undefined;
  let handle: NodeJS.Timeout | undefined;
  const wait = (setting: 'firstByte' | 'idle', limit: number | undefined): void => {
    clearTimeout(handle);
    if (limit === undefined) return;
    const expire = (): void => {
      if (call.own?.waiting() === true) handle = setTimeout(expire, limit);
      else timer.abort(timedOut(setting, limit));
    };
    handle = setTimeout(expire, limit);
  };
  wait(firstByte === undefined ? 'idle' : 'firstByte', firstByte ?? idle);
  return {
    heard: {
      onProgress: (progress) => {
        wait('idle', idle);
        call.onProgress?.(progress);
      },
    },
    end: () => clearTimeout(handle),
  };
}

function timedOut(setting: 'call' | 'firstByte' | 'idle', limit: number): TimedOut {
  const what =
    setting === 'call' ? 'no answer' : setting === 'idle' ? 'nothing was heard' : 'no sign of life';
  return new TimedOut(
    `timeouts.${setting}`,
    `${what} within ${limit / 1000} s (timeouts.${setting} of the server)`,
  );
}
