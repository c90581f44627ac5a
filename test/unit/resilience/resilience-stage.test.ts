import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { WHOLE_SCOPE } from '../../../gateway/identity/principal.ts';
import {
  newFacts,
  TimedOut,
  type Call,
  type Fault,
  type Next,
  type Outcome,
} from '../../../gateway/pipeline/call.ts';
import { resilienceStage } from '../../../gateway/pipeline/resilience.ts';
import { createRuling } from '../../../gateway/pipeline/ruling.ts';
import { timeoutStage } from '../../../gateway/pipeline/timeout.ts';
import { createResilience, type Resilience } from '../../../gateway/resilience/resilience.ts';
import { catalogOf, parsed, tool } from '../gateway/support.ts';

/** P68 P69 P71 P74 P135 What reaches a server that fails, and what does not. */
const hint = (annotations: JsonObject): JsonObject => ({ annotations });
const OFFER = {
  tools: [
    tool('read', hint({ readOnlyHint: true })),
    tool('put', hint({ idempotentHint: true })),
    tool('write', hint({ destructiveHint: true })),
    tool('plain'),
  ],
};
interface World {
  readonly resilience: Resilience;
  call(next: Next, tool?: string, more?: Partial<Call>): Promise<Outcome>;
  /** The same within the limits of time. */
  timed(next: Next, tool?: string): Promise<Outcome>;
}
function world(policies: string, server = '', now: () => number = Date.now): World {
  const config = parsed(
    `version: 1\ngroups: [{ name: g, servers: [{ name: s, url: "https://x.example.com"${server} }] }]\npolicies:\n  resilience:\n${policies}`,
  );
  const { catalog, decide } = catalogOf(config, { 'g:s': OFFER });
  const ruling = createRuling(config, { catalog, decide, guardDeps: {} as never, now });
  const resilience = createResilience(now);
  const stage = resilienceStage(resilience, () => ruling, catalog);
  const timeout = timeoutStage(() => ruling, catalog);
  const callOf = (name: string, more: Partial<Call> = {}): Call => ({
    ...{ traceId: '', source: 'mcp', signal: new AbortController().signal, facts: newFacts(null) },
    principal: {
      subject: 'user:a',
      tokenId: 't',
      administrator: true,
      claims: { teams: [] },
      scope: WHOLE_SCOPE,
    },
    target: { serverId: 'g:s', kind: 'tool', name },
    params: { name, arguments: {} },
    ...more,
  });
  return {
    resilience,
    call: (next, name = 'read', more = {}) => stage(callOf(name, more), next),
    timed: (next, name = 'read') => timeout(callOf(name), (call) => stage(call, next)),
  };
}
const fails = (cause: Fault['cause'], unsent = false, retryAfterMs?: number): Outcome => ({
  ok: false,
  refusal: { reason: 'upstream-unavailable', message: cause, fault: { cause, unsent, retryAfterMs } },
});
const WELL: Outcome = { ok: true, result: {} };
const reasonOf = (outcome: Outcome): string => (outcome.ok ? 'ok' : outcome.refusal.reason);
/** A server that counts its calls. */
const counting = (answer: (call: Call) => Outcome | Promise<Outcome>): Next & { seen(): number } => {
  let seen = 0;
  const next = async (call: Call): Promise<Outcome> => {
    seen += 1;
    await Promise.resolve();
    return answer(call);
  };
  return Object.assign(next, { seen: () => seen });
};

describe('a dying server', () => {
  it('sees no more tries than its share of the calls and a few, however many call at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 100 }),
        async (count, attempts, budget) => {
          const { call } = world(
            `    - { retry: { attempts: ${attempts}, pause: 1ms, maxPause: 1ms, budget: ${budget} }, breaker: off, concurrency: 1000 }`,
          );
          const next = counting(() => fails('lost'));
          await Promise.all(Array.from({ length: count }, () => call(next)));
          expect(next.seen()).toBeGreaterThanOrEqual(count);
          expect(next.seen()).toBeLessThanOrEqual(count * (1 + budget / 100) + 3);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('earns no tries by calls that the open circuit held back', async () => {
    const { call, resilience } = world(
      '    - { retry: { attempts: 1, pause: 1ms, budget: 100 }, breaker: { failures: 1, window: 1m, cooldown: 1h } }',
    );
    const next = counting(() => fails('lost'));
    await call(next);
    for (let at = 0; at < 100; at++) expect(reasonOf(await call(next))).toBe('circuit-open');
    expect([next.seen(), resilience.view('g:s')?.retries]).toEqual([1, 0]);
    const { budget } = resilience.server('g:s');
    let left = 0;
    while (budget.take()) left += 1;
    expect(left).toBeLessThanOrEqual(4);
  });

  it('is what its caller is told of, when their own call has opened the circuit', async () => {
    const { call } = world(
      '    - { retry: { attempts: 3, pause: 1ms }, breaker: { failures: 2, window: 1m, cooldown: 10s } }',
    );
    const next = counting(() => fails('503'));
    expect(await call(next)).toMatchObject({ refusal: { fault: { cause: '503' } } });
    expect([next.seen(), reasonOf(await call(next))]).toEqual([2, 'circuit-open']);
  });
});

describe('another try', () => {
  it.each([
    ['read', 'lost', false, 2],
    ['put', 'lost', false, 2],
    ['write', 'lost', false, 1],
    ['plain', 'lost', false, 1],
    ['write', 'connect', true, 2],
    ['write', '429', true, 2],
    ['write', '503', false, 1],
    ['read', 'timeout', false, 1],
    ['read', 'refused', false, 1],
    ['read', 'status', false, 1],
  ] as const)('of %s after %s (unsent: %s): %i calls', async (name, cause, unsent, expected) => {
    const { call } = world('    - { retry: { attempts: 1, pause: 1ms } }');
    const next = counting(() => fails(cause, unsent));
    await call(next, name);
    expect(next.seen()).toBe(expected);
  });

  it('is not made on a connection of the caller, who may have been asked something, once it has left', async () => {
    const { call } = world('    - { retry: { attempts: 1, pause: 1ms } }');
    const own = { ready: () => Promise.reject(new Error()), offered: () => undefined, waiting: () => false };
    const lost = counting(() => fails('lost'));
    await call(lost, 'read', { own });
    const unsent = counting(() => fails('connect', true));
    await call(unsent, 'read', { own });
    expect([lost.seen(), unsent.seen()]).toEqual([1, 2]);
  });

  it('is not made when the server wants a longer wait than is allowed, nor when the caller is gone', async () => {
    const { call } = world('    - { retry: { attempts: 1, pause: 1ms, maxPause: 50ms } }');
    const long = counting(() => fails('503', false, 51));
    await call(long);
    const short = counting(() => fails('503', false, 50));
    const began = performance.now();
    await call(short);
    expect(performance.now() - began).toBeGreaterThanOrEqual(45);
    const gone = new AbortController();
    const left = counting(() => {
      gone.abort();
      return fails('lost');
    });
    await call(left, 'read', { signal: gone.signal });
    expect([long.seen(), short.seen(), left.seen()]).toEqual([1, 2, 1]);
  });
});

describe('the circuit', () => {
  const TERMS = '    - { retry: off, breaker: { failures: 3, window: 1m, cooldown: 1s } }';

  it('lets exactly one of many concurrent calls through on trial, and all once that went well', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 40 }), fc.boolean(), async (count, goesWell) => {
        let now = 0;
        const { call, resilience } = world(TERMS, '', () => now);
        for (let at = 0; at < 3; at++) await call(() => Promise.resolve(fails('lost')));
        now += 1_000;
        let release = (): void => undefined;
        const until = new Promise<void>((resolve) => (release = resolve));
        const trial = counting(async () => {
          await until;
          return goesWell ? WELL : fails('lost');
        });
        const all = Array.from({ length: count }, () => call(trial));
        await new Promise((resolve) => setImmediate(resolve));
        expect([trial.seen(), resilience.view('g:s')?.circuit]).toEqual([1, 'half-open']);
        release();
        const ends = (await Promise.all(all)).map(reasonOf);
        expect(ends.filter((end) => end === 'circuit-open')).toHaveLength(count - 1);
        expect(trial.seen()).toBe(1);
        expect(reasonOf(await call(() => Promise.resolve(WELL)))).toBe(goesWell ? 'ok' : 'circuit-open');
      }),
      { numRuns: 30 },
    );
  });

  it.each<[string, Next]>([
    ['what the server refuses one caller', () => Promise.resolve(fails('refused'))],
    ['too many requests', () => Promise.resolve(fails('429', true))],
    ['errors of the tool', () => Promise.resolve({ ok: true, result: { isError: true } })],
    [
      'errors of the protocol',
      () => Promise.resolve({ ok: false, refusal: { reason: 'upstream-error', message: 'no' } }),
    ],
    [
      'missing credentials',
      () => Promise.resolve({ ok: false, refusal: { reason: 'auth-required', message: 'no' } }),
    ],
    [
      'callers that give up',
      () => Promise.resolve({ ok: false, refusal: { reason: 'cancelled', message: 'no' } }),
    ],
  ])('is not opened by %s', async (_what, next) => {
    const { call, resilience } = world(TERMS.replace('retry: off', 'retry: off, toolErrors: off'));
    for (let at = 0; at < 10; at++) await call(next);
    expect(resilience.view('g:s')?.circuit).toBe('closed');
  });

  it('is opened by calls that the server took too long for, and not by those that their caller cut short', async () => {
    const hangs: Next = ({ signal }) =>
      new Promise((resolve) => {
        const end = (): void =>
          resolve({ ok: false, refusal: { reason: 'cancelled', message: 'the call was cancelled' } });
        if (signal.aborted) end();
        else signal.addEventListener('abort', end);
      });
    const slow = world(TERMS, ', timeouts: { call: 10ms }');
    for (let at = 0; at < 3; at++) expect(reasonOf(await slow.timed(hangs))).toBe('timeout');
    expect(slow.resilience.view('g:s')?.circuit).toBe('open');
    const cut = world(TERMS);
    for (let at = 0; at < 5; at++)
      expect(reasonOf(await cut.call(hangs, 'read', { signal: AbortSignal.abort() }))).toBe('cancelled');
    expect(cut.resilience.view('g:s')?.circuit).toBe('closed');
    const timedOut = AbortSignal.abort(new TimedOut('x', 'x'));
    for (let at = 0; at < 3; at++) await cut.call(hangs, 'read', { signal: timedOut });
    expect(cut.resilience.view('g:s')?.circuit).toBe('open');
  });
});

describe('limits of time', () => {
  it('are those of the first policy about the tool that says so, and else those of its server', async () => {
    const hangs: Next = ({ signal }) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () =>
          resolve({ ok: false, refusal: { reason: 'cancelled', message: 'the call was cancelled' } }),
        ),
      );
    const { timed } = world(
      `    - { when: { tools: [write] }, timeouts: { firstByte: 10ms }, breaker: off }
    - { when: { tools: [write, put] }, timeouts: { call: 20ms, firstByte: 1h } }`,
      ', timeouts: { call: 30ms }',
    );
    const ruleOf = async (name: string): Promise<unknown> => {
      const outcome = await timed(hangs, name);
      return outcome.ok ? 'ok' : [outcome.refusal.rule, outcome.refusal.message];
    };
    expect(await ruleOf('write')).toEqual([
      'policies.resilience[0].timeouts.firstByte',
      'no sign of life within 0.01 s (policies.resilience[0].timeouts.firstByte)',
    ]);
    expect(await ruleOf('put')).toEqual([
      'policies.resilience[1].timeouts.call',
      'no answer within 0.02 s (policies.resilience[1].timeouts.call)',
    ]);
    expect(await ruleOf('read')).toEqual([
      'timeouts.call',
      'no answer within 0.03 s (timeouts.call of the server)',
    ]);
  });
});
