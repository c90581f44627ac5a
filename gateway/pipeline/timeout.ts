import type { Catalog } from '../registry/catalog.ts';
import { TimedOut, type Call, type Outcome, type Stage } from './call.ts';
import { refused } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { serverOf } from './way.ts';

type Setting = 'call' | 'firstByte' | 'idle';

/** For how long something may take, and what says so. */
interface Term {
  readonly ms: number;
  readonly rule: string;
  readonly words: string;
}

/**
 * Ends a call that takes longer than the policies about it, or else its server's `timeouts`, allow, all its tries
 * together; the server is told to stop working on it. While the server waits for the caller's own answer, its time is
 * extended.
 */
export function timeoutStage(ruling: () => Ruling, catalog: Catalog): Stage {
  return async (call, next) => {
    const termOf = termsOf(ruling(), call, catalog.entry(serverOf(call, catalog))?.config.timeouts);
    const whole = termOf('call');
    const limit = whole?.ms ?? 0;
    const timer = new AbortController();
    const expire = (): void => {
      if (call.own?.waiting() === true) handle = setTimeout(expire, limit);
      else timer.abort(timedOut('call', whole));
    };
    let handle = setTimeout(expire, limit);
    const follow = (): void => timer.abort(call.signal.reason);
    call.signal.addEventListener('abort', follow, { once: true });
    if (call.signal.aborted) follow();
    const silence = watchSilence(call, termOf('firstByte'), termOf('idle'), timer);
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
  firstByte: Term | undefined,
  idle: Term | undefined,
  timer: AbortController,
): { readonly heard: Pick<Call, 'onProgress'>; readonly end: () => void } | undefined {
  if (firstByte === undefined && idle === undefined) return undefined;
  let handle: NodeJS.Timeout | undefined;
  const wait = (setting: Setting, term: Term | undefined): void => {
    clearTimeout(handle);
    if (term === undefined) return;
    const expire = (): void => {
      if (call.own?.waiting() === true) handle = setTimeout(expire, term.ms);
      else timer.abort(timedOut(setting, term));
    };
    handle = setTimeout(expire, term.ms);
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

/** The first policy about the call that says something counts; then what its server says. */
function termsOf(
  { policies, facts }: Ruling,
  call: Call,
  own: Partial<Record<Setting, number | undefined>> | undefined,
): (setting: Setting) => Term | undefined {
  const saying = policies.resilience.filter(({ policy }) => policy.timeouts !== undefined);
  const seen = saying.length === 0 ? undefined : facts.call(call);
  const about = seen === undefined ? [] : saying.filter(({ applies }) => applies(seen));
  return (setting) => {
    for (const { policy, path } of about) {
      const ms = policy.timeouts?.[setting];
      const rule = `${path}.timeouts.${setting}`;
      if (ms !== undefined) return { ms, rule, words: rule };
    }
    const ms = own?.[setting];
    const rule = `timeouts.${setting}`;
    return ms === undefined ? undefined : { ms, rule, words: `${rule} of the server` };
  };
}

function timedOut(setting: Setting, term: Term | undefined): TimedOut {
  const what =
    setting === 'call' ? 'no answer' : setting === 'idle' ? 'nothing was heard' : 'no sign of life';
  const { ms = 0, rule = `timeouts.${setting}`, words = rule } = term ?? {};
  return new TimedOut(rule, `${what} within ${ms / 1000} s (${words})`);
}
