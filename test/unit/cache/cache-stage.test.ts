import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createResultCache } from '../../../gateway/cache/result-cache.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { WHOLE_SCOPE } from '../../../gateway/identity/principal.ts';
import { cacheStage } from '../../../gateway/pipeline/cache.ts';
import { newFacts, type Call, type Next, type Outcome } from '../../../gateway/pipeline/call.ts';
import { createRuling } from '../../../gateway/pipeline/ruling.ts';
import { catalogOf, parsed, tool } from '../gateway/support.ts';

/** P75 P143 Nobody gets what is another's, and nobody who has written reads what was there before. */
const KINDS: Readonly<Record<string, { readonly entry: string; readonly shared: boolean }>> = {
  open: { entry: 'url: "https://x.example.com"', shared: true },
  header: {
    entry: 'url: "https://x.example.com", auth: { type: header, headers: { X-Key: k } }',
    shared: true,
  },
  machine: {
    entry:
      'url: "https://x.example.com", auth: { type: oauth2, grant: client-credentials, clientId: c, issuer: "https://i.example.com", clientSecret: "${secret:known}" }',
    shared: true,
  },
  command: { entry: 'command: x, env: { KEY: k }', shared: true },
  each: {
    entry:
      'url: "https://x.example.com", auth: { type: header, perUser: true, headers: { X-Key: "{{KEY}}" } }',
    shared: false,
  },
  env: { entry: 'command: x, env: { KEY: "{{KEY}}" }', shared: false },
  isolated: { entry: 'command: x, process: { isolation: user }', shared: false },
  session: { entry: 'command: x, process: { isolation: session }', shared: false },
  consent: { entry: 'url: "https://x.example.com", auth: { type: oauth2 }', shared: false },
};
const NAMES = Object.keys(KINDS);
const config = parsed(`version: 1
groups:
  - name: g
    servers:
${NAMES.map((name) => `      - { name: ${name}, ${KINDS[name]?.entry ?? ''} }`).join('\n')}
      - { name: v, virtual: [{ server: "g:env", tools: ["@all"] }] }
policies:
  cache:
    - { when: { tools: [mine] }, ttl: 1h }
    - { when: { groups: [g] }, ttl: 1h, scope: shared }
`);
const reads = { annotations: { readOnlyHint: true } };
const offer = { tools: [tool('read', reads), tool('mine', reads), tool('write')] };
const { catalog, decide } = catalogOf(config, Object.fromEntries(NAMES.map((name) => [`g:${name}`, offer])));
const ruling = createRuling(config, { catalog, decide, guardDeps: {} as never, now: () => 0 });

interface Asked {
  readonly server: string;
  readonly tool?: string;
  readonly subject?: string;
  readonly tokenId?: string;
  readonly args?: JsonObject;
  readonly meta?: JsonObject;
  readonly more?: Partial<Call>;
}
function callOf({
  server,
  tool: name = 'read',
  subject = 'user:ann',
  tokenId = 't',
  args = {},
  meta,
  more,
}: Asked): Call {
  return {
    ...{ traceId: '', source: 'mcp', signal: new AbortController().signal, facts: newFacts(null) },
    principal: { subject, tokenId, administrator: true, claims: { teams: [] }, scope: WHOLE_SCOPE },
    target: { serverId: `g:${server}`, kind: 'tool', name },
    params: { name, arguments: args, ...(meta && { _meta: meta }) },
    ...more,
  };
}
const textOf = (outcome: Outcome): unknown => (outcome.ok ? outcome.result['by'] : outcome.refusal.reason);
const stageOf = () =>
  cacheStage(
    createResultCache(() => 0),
    () => ruling,
    catalog,
  );

describe('a kept result', () => {
  it('is never given to another person, unless everybody is one to the server and it is public', async () => {
    const step = fc.record({
      server: fc.constantFrom(...NAMES, 'v'),
      tool: fc.constantFrom('read', 'mine'),
      subject: fc.constantFrom('user:ann', 'user:ben', 'serviceaccount:bot'),
      tokenId: fc.constantFrom('one', 'two'),
      args: fc.constantFrom({}, { a: 1 }),
      isPrivate: fc.boolean(),
      waits: fc.boolean(),
    });
    let shared = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.scheduler(),
        async (steps, scheduler) => {
          const stage = stageOf();
          const all = steps.map(async ({ isPrivate, waits, ...asked }) => {
            const { subject, args } = asked;
            // A virtual server's tool is the one behind it.
            const server = asked.server === 'v' ? 'env' : asked.server;
            const next: Next = async () => {
              if (waits) await scheduler.schedule(Promise.resolve());
              const scope = isPrivate ? { cacheScope: 'private' } : {};
              return { ok: true, result: { by: subject, at: server, args, isPrivate, ...scope } };
            };
            await scheduler.schedule(Promise.resolve());
            const outcome = await stage(callOf(asked), next);
            if (!outcome.ok) throw new Error(outcome.refusal.message);
            expect(outcome.result).toMatchObject({ at: server, args });
            if (outcome.result['by'] === subject) return;
            shared += 1;
            expect([KINDS[server]?.shared, outcome.result['isPrivate'], asked.tool]).toEqual([
              true,
              false,
              'read',
            ]);
          });
          await scheduler.waitFor(Promise.all(all));
        },
      ),
    );
    // The law is not kept by never sharing anything.
    expect(shared).toBeGreaterThan(0);
  });

  it('is never older than what the same person has written', async () => {
    const step = fc.record({
      writes: fc.boolean(),
      subject: fc.constantFrom('user:ann', 'user:ben'),
      tool: fc.constantFrom('read', 'mine'),
      fresh: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.scheduler(), async (steps, scheduler) => {
        const stage = stageOf();
        let version = 0;
        /** By who wrote: the version that their last write left behind. */
        const written = new Map<string, number>();
        const all = steps.map(async ({ writes, subject, tool: name, fresh }) => {
          await scheduler.schedule(Promise.resolve());
          const since = Math.max(
            written.get(subject) ?? 0,
            name === 'read' ? Math.max(0, ...written.values()) : 0,
          );
          const next: Next = async () => {
            if (writes) version += 1;
            const seen = version;
            await scheduler.schedule(Promise.resolve());
            return { ok: true, result: { by: seen } };
          };
          const asked = { server: 'open', subject, tool: writes ? 'write' : name, more: { fresh } };
          const seen = Number(textOf(await stage(callOf(asked), next)));
          if (writes) written.set(subject, Math.max(written.get(subject) ?? 0, seen));
          else expect(seen).toBeGreaterThanOrEqual(since);
        });
        await scheduler.waitFor(Promise.all(all));
      }),
      { numRuns: 300 },
    );
  });

  it('is found whatever the trace and the client, and not where the call asks for something else', async () => {
    const stage = stageOf();
    let made = 0;
    const next: Next = () => Promise.resolve({ ok: true, result: { by: ++made } });
    const ask = async (meta?: JsonObject): Promise<unknown> =>
      textOf(await stage(callOf({ server: 'open', ...(meta && { meta }) }), next));
    const way = (trace: string): JsonObject => ({
      traceparent: trace,
      'io.modelcontextprotocol/clientInfo': { name: trace },
    });
    expect([await ask(), await ask(way('a')), await ask(way('b'))]).toEqual([1, 1, 1]);
    const tenant = { 'com.example/tenant': 'x' };
    expect([await ask(tenant), await ask({ ...tenant, ...way('c') }), await ask()]).toEqual([2, 2, 1]);
  });

  it('is none that says it failed, is not whole, or that its server wants kept for no time', async () => {
    for (const result of [{ isError: true }, { resultType: 'input_required' }, { ttlMs: 0 }]) {
      const stage = stageOf();
      let made = 0;
      const next: Next = () => Promise.resolve({ ok: true, result: { ...result, by: ++made } });
      for (let at = 0; at < 3; at++) await stage(callOf({ server: 'open' }), next);
      expect(made).toBe(3);
    }
  });

  it('is renewed by whoever wants none, and not by an answer that is older', async () => {
    const stage = stageOf();
    let release = (): void => undefined;
    const slow: Next = () =>
      new Promise((resolve) => (release = () => resolve({ ok: true, result: { by: 'old' } })));
    const first = stage(callOf({ server: 'open' }), slow);
    const fresh = callOf({ server: 'open', more: { fresh: true } });
    await stage(fresh, () => Promise.resolve({ ok: true, result: { by: 'new' } }));
    release();
    expect(textOf(await first)).toBe('old');
    const never: Next = () => Promise.reject(new Error('it is kept'));
    expect([textOf(await stage(callOf({ server: 'open' }), never)), fresh.facts.cache]).toEqual([
      'new',
      'bypass',
    ]);
  });
});

describe('equal calls under way together', () => {
  /** How many calls are made, and how many of them at once, of ten equal ones that come to this. */
  const race = async (
    outcome: Outcome,
    subjects = ['user:ann'],
  ): Promise<{ made: number; outcomes: Outcome[] }> => {
    const stage = stageOf();
    let made = 0;
    const next: Next = async () => {
      made += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return outcome;
    };
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        stage(callOf({ server: 'open', subject: subjects[at % subjects.length] ?? '' }), next),
      ),
    );
    return { made, outcomes };
  };

  it('are made once, also where the result is not to be kept', async () => {
    for (const result of [
      { by: 1 },
      { by: 1, isError: true },
      { by: 'x'.repeat(2_000_000) },
      { by: 1, ttlMs: 0 },
    ])
      expect((await race({ ok: true, result }, ['user:ann', 'user:ben'])).made).toBe(1);
    const refusal = { reason: 'upstream-error' as const, message: 'no' };
    expect((await race({ ok: false, refusal })).made).toBe(1);
  });

  it('are each made where what came of the first is of its caller', async () => {
    const secret = { ok: true as const, result: { by: 1, cacheScope: 'private' } };
    expect((await race(secret, ['user:ann', 'user:ben'])).made).toBe(10);
    const asks = { ok: true as const, result: { resultType: 'input_required' } };
    expect((await race(asks)).made).toBe(10);
    const refusal = { reason: 'rate-limited' as const, message: 'no', rule: 'tool-errors' };
    expect((await race({ ok: false, refusal })).made).toBe(10);
  });

  it('are made by the next of those who wait, when the first gives up', async () => {
    const stage = stageOf();
    const gone = new AbortController();
    let made = 0;
    const next: Next = async ({ signal }) => {
      made += 1;
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
        signal.addEventListener('abort', resolve);
      });
      return signal.aborted
        ? { ok: false, refusal: { reason: 'cancelled', message: 'gone' } }
        : { ok: true, result: { by: 'second' } };
    };
    const first = stage(callOf({ server: 'open', more: { signal: gone.signal } }), next);
    const others = [1, 2, 3].map(() => stage(callOf({ server: 'open' }), next));
    gone.abort();
    expect(textOf(await first)).toBe('cancelled');
    expect((await Promise.all(others)).map(textOf)).toEqual(['second', 'second', 'second']);
    expect(made).toBe(2);
  });
});
