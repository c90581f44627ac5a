import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newFacts, type Call, type Next, type Outcome } from '../../../gateway/pipeline/call.ts';
import { createRuling } from '../../../gateway/pipeline/ruling.ts';
import { timeoutStage } from '../../../gateway/pipeline/timeout.ts';
import { catalogOf, parsed, tool } from '../gateway/support.ts';

/** P69 A call ends in time, and no timer outlives it. */
const config = parsed(
  'version: 1\ngroups: [{ name: g, servers: [{ name: s, url: "https://x.example.com", timeouts: { call: 10s, firstByte: 1s, idle: 2s } }] }]',
);
const { catalog, decide } = catalogOf(config, { 'g:s': { tools: [tool('t')] } });
const ruling = createRuling(config, { catalog, decide, guardDeps: {} as never, now: () => 0 });
const stage = timeoutStage(() => ruling, catalog);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface UnderWay {
  readonly ended: () => unknown;
  /** The server's side: answers, and tells of progress. */
  answer(): void;
  progress(): void;
}
function begin(more: Partial<Call> = {}): UnderWay {
  let end: unknown;
  let answer = (): void => undefined;
  let heard: Call['onProgress'];
  const next: Next = ({ signal, onProgress }) => {
    heard = onProgress;
    return new Promise<Outcome>((resolve) => {
      answer = () => resolve({ ok: true, result: {} });
      const gone: Outcome = {
        ok: false,
        refusal: { reason: 'cancelled', message: 'the call was cancelled' },
      };
      if (signal.aborted) resolve(gone);
      else signal.addEventListener('abort', () => resolve(gone));
    });
  };
  const call: Call = {
    ...{ traceId: '', source: 'mcp', principal: undefined, facts: newFacts(null) },
    ...{ signal: new AbortController().signal, params: { name: 't' } },
    target: { serverId: 'g:s', kind: 'tool', name: 't' },
    ...more,
  };
  void stage(call, next).then((outcome) => (end = outcome.ok ? 'ok' : (outcome.refusal.rule ?? 'cancelled')));
  return { ended: () => end, answer: () => answer(), progress: () => heard?.({ progress: 1 }) };
}

describe('a call', () => {
  it('ends when nothing is heard at first, then between two signs of life, and as a whole', async () => {
    const silent = begin();
    await vi.advanceTimersByTimeAsync(999);
    expect(silent.ended()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(silent.ended()).toBe('timeouts.firstByte');
    const stops = begin();
    for (let at = 0; at < 3; at++) {
      await vi.advanceTimersByTimeAsync(900);
      stops.progress();
    }
    await vi.advanceTimersByTimeAsync(1_999);
    expect(stops.ended()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(stops.ended()).toBe('timeouts.idle');
    const long = begin();
    for (let at = 0; at < 11; at++) {
      await vi.advanceTimersByTimeAsync(900);
      long.progress();
    }
    expect(long.ended()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(100);
    expect(long.ended()).toBe('timeouts.call');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is given the time that its server waits for the caller', async () => {
    let waiting = true;
    const own = {
      ready: () => Promise.reject(new Error()),
      offered: () => undefined,
      waiting: () => waiting,
    };
    const asks = begin({ own });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asks.ended()).toBeUndefined();
    waiting = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asks.ended()).toMatch(/^timeouts\./);
  });

  it('leaves no timer behind, however it ends', async () => {
    const well = begin();
    well.answer();
    await vi.advanceTimersByTimeAsync(0);
    const gone = new AbortController();
    const left = begin({ signal: gone.signal });
    gone.abort();
    await vi.advanceTimersByTimeAsync(0);
    const never = begin({ signal: AbortSignal.abort() });
    await vi.advanceTimersByTimeAsync(0);
    expect([well.ended(), left.ended(), never.ended()]).toEqual(['ok', 'cancelled', 'cancelled']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
