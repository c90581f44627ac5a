import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { limitListSchema } from '../../gateway/contract/limits.ts';
import { createAgentClient } from '../support/agent-client.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import {
  chunk,
  DONE,
  says,
  startOpenAiWire,
  type OpenAiWire,
  type WireReply,
} from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P62 P73 P137 P138 What may be spent, is spent, and no more. */
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

const config = (): string => `version: 1
subjects:
  teams: [{ name: finance, members: ["user:fay"] }]
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [priced, unknown-model, gpt-4o], allowPrivateAddress: true }
  prices: [{ models: ["wire/priced"], input: 100000, output: 200000 }]
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  budgets:
    - { name: finance-month, when: { subjects: ["team:finance"] }, limits: { cost: 50/month }, alerts: [50] }
    - { name: tokens-day, when: { subjects: ["user:tom"] }, limits: { tokens: 6000/day } }
    - { name: of-vic, when: { subjects: ["user:vic"] }, limits: { tokens: 6000/day } }
  guardrails:
    - { name: words, kind: regex, when: { subjects: ["user:vic"] }, hooks: [modelOutput], patterns: [{ pattern: "forbidden" }] }
`;

beforeAll(async () => {
  wire = await startOpenAiWire();
  gateway = await startGateway({ config: config() });
  people = await createPeople(gateway, ['fay', 'tom', 'una', 'vic']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
});
beforeEach(() => {
  wire.requests.length = 0;
});

/** An answer that its provider says has taken so many tokens. */
const taking = (input: number, output: number): WireReply => ({
  steps: [
    chunk({ role: 'assistant', content: 'yes' }),
    chunk({}, 'stop'),
    {
      data: {
        ...{ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [] },
        usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
      },
    },
    DONE,
  ],
});
async function run(
  who: string,
  more: object = {},
): Promise<{ status: number; code: string | undefined; message: string; retryAfter: string | null }> {
  const agent = createAgentClient(gateway.address, people.tokens[who] ?? '');
  const { response } = await agent.post({
    ...{
      model: 'wire/priced',
      stream: false,
      max_tokens: 10,
      messages: [{ role: 'user', content: 'hello' }],
    },
    ...more,
  });
  const body = (await response.json()) as { error?: { code: string; message: string } };
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, code: body.error?.code, message: body.error?.message ?? '', retryAfter };
}
const spent = async (policy: string): Promise<number> => {
  const { counters } = limitListSchema.parse((await people.api('owner', 'GET', '/limits')).body);
  return counters.find((one) => one.policy === policy)?.used ?? 0;
};

describe('a budget of cost', () => {
  it('counts what the provider reports, records it, and refuses what does not fit any more', async () => {
    wire.reply(taking(100, 90));
    expect((await run('fay')).status).toBe(200);
    expect(await spent('finance-month')).toBeCloseTo(28);
    const { body } = await people.api('owner', 'GET', '/activity?limit=1');
    expect(body['calls']).toMatchObject([{ kind: 'model', cost: 28, inputTokens: 100 }]);
    await vi.waitFor(() => expect(gateway.output()).toMatch(/a budget has been spent so far/), 10_000);
    // Reserved beforehand: 100 tokens of output would be $20 more than is left with the input.
    const big = await run('fay', { max_tokens: 100_000 });
    expect(big).toMatchObject({ status: 429, code: 'budget_exhausted' });
    expect(big.message).toContain('finance-month: at most $50/month');
    // One call alone would take more than the whole: waiting does not help.
    expect(big.retryAfter).toBeNull();
    expect(wire.requests).toHaveLength(1);
    wire.reply(taking(10, 100));
    expect((await run('fay')).status).toBe(200);
    expect(await spent('finance-month')).toBeCloseTo(49);
    const spentAll = await run('fay');
    expect([spentAll.code, Number(spentAll.retryAfter)]).toEqual(['budget_exhausted', expect.any(Number)]);
    expect(Number(spentAll.retryAfter)).toBeGreaterThan(0);
    wire.reply(says('free'));
    expect((await run('una')).status).toBe(200);
  });

  it('refuses a model without a price, and says what to do', async () => {
    const refused = await run('fay', { model: 'wire/unknown-model' });
    expect(refused).toMatchObject({ status: 429, code: 'budget_exhausted' });
    expect(refused.message).toContain('models.prices');
    expect(wire.requests).toEqual([]);
  });

  it('knows the prices of known models', async () => {
    wire.reply(taking(1_000_000, 1_000_000));
    expect((await run('una', { model: 'wire/gpt-4o' })).status).toBe(200);
    const { body } = await people.api('owner', 'GET', '/activity?limit=1');
    expect((body['calls'] as { cost: number }[])[0]?.cost).toBeGreaterThan(1);
  });

  it('still counts after the gateway was killed', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await gateway.kill();
    const { tokens } = people;
    gateway = await startGateway({ config: config(), after: gateway });
    people = { ...(await createPeople(gateway, [])), tokens: { ...tokens, owner: gateway.token } };
    const over = await run('fay');
    expect(over).toMatchObject({ status: 429, code: 'budget_exhausted' });
    expect(wire.requests).toEqual([]);
  });
});

describe('a budget of tokens', () => {
  it('holds for calls that are under way together', async () => {
    wire.otherwise(() => taking(1, 1_000));
    const answers = await Promise.all(Array.from({ length: 12 }, () => run('tom', { max_tokens: 1_000 })));
    const through = answers.filter(({ status }) => status === 200).length;
    expect(through).toBe(5);
    expect(wire.requests).toHaveLength(5);
    expect(answers.find(({ status }) => status === 429)?.message).toMatch(
      /tokens-day: at most 6000 tokens\/day.*room again/,
    );
  });

  it('counts what was said by a model that broke off', async () => {
    wire.otherwise(() => says('x'));
    const before = await spent('tokens-day');
    wire.reply({ steps: [chunk({ role: 'assistant', content: 'y'.repeat(400) }), { die: true }] });
    expect((await run('tom', { max_tokens: 100 })).status).toBe(502);
    const after = await spent('tokens-day');
    expect(after - before).toBeGreaterThanOrEqual(100);
    expect(after - before).toBeLessThan(200);
  });

  it('counts what a guardrail kept from the caller: it was paid for all the same', async () => {
    wire.reply(says('forbidden '.repeat(40)));
    expect((await run('vic', { max_tokens: 200 })).code).toBe('content_blocked');
    expect(await spent('of-vic')).toBe(11);
  });

  it('counts what was said to a reader who went away in the middle, once', async () => {
    const before = await spent('of-vic');
    let goOn = (): void => undefined;
    const until = new Promise<void>((resolve) => (goOn = resolve));
    wire.reply({ steps: [chunk({ role: 'assistant', content: 'y'.repeat(2_000) }), { until }, DONE] });
    const gone = new AbortController();
    const agent = createAgentClient(gateway.address, people.tokens['vic'] ?? '');
    const body = {
      model: 'wire/priced',
      stream: false,
      max_tokens: 2_000,
      messages: [{ role: 'user', content: 'hi' }],
    };
    const asked = wire.requests.length;
    const left = agent.post(body, gone.signal).catch(() => undefined);
    await vi.waitFor(() => expect(wire.requests.length).toBe(asked + 1), 10_000);
    await vi.waitFor(async () => expect(await spent('of-vic')).toBeGreaterThan(before + 2_000), 10_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    gone.abort();
    await left;
    // What was reserved makes place for what was said: 500 tokens, and those of the question.
    await vi.waitFor(async () => expect(await spent('of-vic')).toBeLessThan(before + 600), 10_000);
    expect(await spent('of-vic')).toBeGreaterThanOrEqual(before + 500);
    goOn();
  });

  it('is not met by a reservation that is smaller than what is allowed, or none', async () => {
    const asked = wire.requests.length;
    const both = await run('vic', { max_completion_tokens: 1, max_tokens: 100_000 });
    expect(both.code).toBe('budget_exhausted');
    for (const max_tokens of [-1_000_000_000, 0, 0.5, '10', null])
      expect((await run('vic', { max_tokens })).status).toBe(400);
    expect(wire.requests).toHaveLength(asked);
  });
});
