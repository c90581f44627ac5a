import { describe, expect, it } from 'vitest';
import { createLimits, type Limits } from '../../../gateway/limits/limits.ts';
import { compileRules, type LimitRule } from '../../../gateway/limits/rules.ts';
import { compilePolicies } from '../../../gateway/access/policies.ts';
import { ModelError, type ModelEvent } from '../../../gateway/models/model.ts';
import { modelLimitsStage } from '../../../gateway/pipeline/limits.ts';
import {
  createModelPipeline,
  newModelFacts,
  type ModelCall,
  type ModelStage,
} from '../../../gateway/pipeline/model-call.ts';
import type { Ruling } from '../../../gateway/pipeline/ruling.ts';
import { createMemorySharedState } from '../../../gateway/storage/memory-shared-state.ts';
import { parsed } from '../gateway/support.ts';

/** P138 What a model was asked for is counted, however the call ends. */
const person = { subject: 'user:a', names: new Set(['user:a']), administrator: false, facts: {} };
const RULES: LimitRule[] = compileRules(
  compilePolicies(parsed('version: 1\npolicies:\n  budgets: [{ name: b, limits: { tokens: 10000/day } }]')),
);
const RULING = {
  limitRules: RULES,
  facts: {
    model: () => ({
      ...{ person, tokenId: 't', targets: [], model: 'p/m', metadata: {}, args: {}, at: 0 },
    }),
  },
} as unknown as Ruling;
/** What is sent: two tokens as JSON, and four of the message's frame. */
const MESSAGE = [{ role: 'user' as const, content: 'hello' }];
const INPUT = Math.ceil(JSON.stringify([MESSAGE, []]).length / 4);

interface World {
  readonly limits: Limits;
  readonly facts: ModelCall['facts'];
  /** Reads so many events, then goes away. */
  ask(parameters?: object, reads?: number): Promise<unknown>;
  used(): number;
}
function world(says: () => AsyncIterable<ModelEvent>, inner: readonly ModelStage[] = []): World {
  const limits = createLimits(
    createMemorySharedState(() => 0),
    () => undefined,
    () => 0,
  );
  const prices = { cost: () => 0 };
  const pipeline = createModelPipeline([modelLimitsStage(limits, () => RULING, prices), ...inner]);
  const facts = newModelFacts();
  return {
    limits,
    facts,
    ask: async (parameters = {}, reads = Infinity) => {
      const call = {
        ...{ traceId: '', source: 'agent', principal: {}, messages: MESSAGE, tools: [], parameters },
        ...{ model: { id: 'p/m', model: 'm', provider: { stream: says } }, facts },
        signal: new AbortController().signal,
      } as unknown as ModelCall;
      try {
        const read: ModelEvent[] = [];
        for await (const event of pipeline.stream(call)) if (read.push(event) >= reads) break;
        return undefined;
      } catch (error) {
        return error;
      }
    },
    used: () => limits.counters(RULES)[0]?.used ?? 0,
  };
}
async function* events(...all: (ModelEvent | Error)[]): AsyncIterable<ModelEvent> {
  for (const event of all) {
    await Promise.resolve();
    if (event instanceof Error) throw event;
    yield event;
  }
}
const text = (length: number): ModelEvent => ({ type: 'text', text: 'x'.repeat(length) });
const usage: ModelEvent = { type: 'usage', inputTokens: 100, outputTokens: 50 };
const finish: ModelEvent = { type: 'finish', reason: 'stop' };

describe('a call of a model', () => {
  it('is counted by what its provider reports', async () => {
    const { ask, used } = world(() => events(text(40), usage, finish));
    expect([await ask(), used()]).toEqual([undefined, 150]);
  });

  it('is counted by what was said, where nothing is reported: text, names and arguments', async () => {
    const { ask, used } = world(() =>
      events(
        text(40),
        { type: 'tool-call', index: 0, id: 'c', name: 'n'.repeat(20) },
        { type: 'tool-arguments', index: 0, delta: 'a'.repeat(20) },
        finish,
      ),
    );
    await ask();
    expect(used()).toBe(INPUT + 20);
  });

  it('is counted when its reader goes away in the middle, or before a word was said', async () => {
    const broken = world(() => events(text(40), text(4_000), usage, finish));
    await broken.ask({}, 1);
    expect(broken.used()).toBe(INPUT + 10);
    const early = world(() => events(new ModelError('cancelled', 'gone')));
    await early.ask();
    expect(early.used()).toBe(INPUT);
  });

  it('is not, where its provider refused it, or it was blocked before', async () => {
    for (const reason of ['rate-limited', 'unauthorized', 'unavailable'] as const) {
      const { ask, used } = world(() => events(new ModelError(reason, 'no')));
      await ask();
      expect(used()).toBe(0);
    }
    const block: ModelStage = () => events(new ModelError('blocked', 'no'));
    const blocked = world(() => events(text(4_000)), [block]);
    await blocked.ask();
    expect(blocked.used()).toBe(0);
  });

  it('is counted where a guardrail holds its answer back and blocks it', async () => {
    const hold: ModelStage = async function* (call, next) {
      const held: ModelEvent[] = [];
      for await (const event of next(call)) held.push(event);
      yield* events(new ModelError('blocked', `${held.length} events did not pass`));
    };
    const { ask, used, facts } = world(() => events(text(40), usage, finish), [hold]);
    expect(await ask()).toMatchObject({ reason: 'blocked' });
    expect([used(), facts.inputTokens]).toEqual([150, 100]);
  });

  it('reserves the most that its parameters allow', async () => {
    for (const parameters of [
      { max_tokens: 20_000 },
      { max_completion_tokens: 1, max_tokens: 20_000 },
      { max_tokens: 1e308 },
    ]) {
      const { ask } = world(() => events(finish));
      expect(await ask(parameters)).toMatchObject({ reason: 'budget-exhausted', rule: 'b' });
    }
    for (const parameters of [{ max_tokens: -1e9 }, { max_tokens: NaN }, { max_tokens: '1' }, {}]) {
      const { ask, limits } = world(() => events(usage, finish));
      const full = await limits.begin(RULES, RULING.facts.model({} as ModelCall), {
        tokens: 10_000 - INPUT - 1_023,
        cost: 0,
      });
      expect(full.refused).toBeUndefined();
      expect(await ask(parameters)).toMatchObject({ reason: 'budget-exhausted' });
    }
  });
});
