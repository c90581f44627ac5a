import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ModelError,
  type ModelEvent,
  type ModelProvider,
  type ModelRequest,
} from '../../../gateway/models/model.ts';
import { createOpenAiProvider, MODEL_TIMEOUTS } from '../../../gateway/models/openai.ts';
import {
  calls,
  chunk,
  DONE,
  refuses,
  says,
  startOpenAiWire,
  usage,
  type OpenAiWire,
} from '../../support/openai-wire.ts';

const KEY = 'secret-key-of-the-gateway';
let wire: OpenAiWire;
let dispatcher: Agent;

beforeAll(() => {
  dispatcher = new Agent();
});
afterAll(() => dispatcher.close());
beforeEach(async () => {
  wire = await startOpenAiWire();
  return () => wire.close();
});

function provider(
  options: { timeouts?: Partial<typeof MODEL_TIMEOUTS>; models?: string[]; baseUrl?: string } = {},
): ModelProvider {
  return createOpenAiProvider({
    name: 'openai',
    baseUrl: options.baseUrl ?? wire.baseUrl,
    apiKey: KEY,
    dispatcher,
    timeouts: { ...MODEL_TIMEOUTS, ...options.timeouts },
    ...(options.models ? { models: options.models } : {}),
  });
}

function request(more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'hi' }],
    tools: [],
    parameters: {},
    signal: new AbortController().signal,
    ...more,
  };
}

async function collect(more: Partial<ModelRequest> = {}, from = provider()): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for await (const event of from.stream(request(more))) events.push(event);
  return events;
}

/** What came before the failure, and the failure. */
async function failing(
  from = provider(),
  more: Partial<ModelRequest> = {},
): Promise<{ events: ModelEvent[]; error: ModelError }> {
  const events: ModelEvent[] = [];
  try {
    for await (const event of from.stream(request(more))) events.push(event);
  } catch (error) {
    if (error instanceof ModelError) return { events, error };
    throw error;
  }
  throw new Error(`expected a ModelError, got ${JSON.stringify(events)}`);
}

function text(events: readonly ModelEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('');
}

/** The calls as a client puts them together. */
function assembled(events: readonly ModelEvent[]): { id: string; name: string; arguments: string }[] {
  const found: { id: string; name: string; arguments: string }[] = [];
  for (const event of events) {
    if (event.type === 'tool-call') found[event.index] = { id: event.id, name: event.name, arguments: '' };
    if (event.type === 'tool-arguments') {
      const call = found[event.index];
      if (!call) throw new Error('arguments before their call');
      call.arguments += event.delta;
    }
  }
  return found;
}

describe('the request', () => {
  test('streams with usage, and passes sampling parameters, messages and tools on', async () => {
    wire.reply(says('ok'));
    const tool = { name: 'calc__add', description: 'Adds', parameters: { type: 'object', properties: {} } };
    await collect({ tools: [tool], parameters: { temperature: 0.2, seed: 7, tool_choice: 'auto' } });
    const [sent] = wire.requests;
    expect(sent?.path).toBe('/v1/chat/completions');
    expect(sent?.headers['authorization']).toBe(`Bearer ${KEY}`);
    expect(sent?.body).toEqual({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'hi' }],
      tools: [{ type: 'function', function: tool }],
      tool_choice: 'auto',
      temperature: 0.2,
      seed: 7,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test('leaves tool options out when there are no tools', async () => {
    wire.reply(says('ok'));
    await collect({ parameters: { tool_choice: 'auto', parallel_tool_calls: true } });
    expect(Object.keys(wire.requests[0]?.body ?? {}).sort()).toEqual([
      'messages',
      'model',
      'stream',
      'stream_options',
    ]);
  });
});

describe('a whole answer', () => {
  test('text, usage from the chunk with empty choices, finish', async () => {
    wire.reply(says('Hel', 'lo'));
    expect(await collect()).toEqual([
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo' },
      { type: 'usage', inputTokens: 10, outputTokens: 2 },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  test.each([1, 2, 5, 7])(
    'survives packets of %i bytes, inside UTF-8 and inside SSE fields',
    async (splitBytes) => {
      const reply = says('añ→', '日本語 🚀', '\u2028"quoted"\n');
      wire.reply('steps' in reply ? { ...reply, splitBytes } : reply);
      expect(text(await collect())).toBe('añ→日本語 🚀\u2028"quoted"\n');
    },
  );

  test('parallel calls keep their arguments apart', async () => {
    const wanted = [
      { id: 'call_a', name: 'calc__add', arguments: '{"a":2,"b":3}' },
      { id: 'call_b', name: 'fs__list', arguments: '{"path":"/tmp/über"}' },
      { id: 'call_c', name: 'now', arguments: '{}' },
    ];
    wire.reply(calls(wanted, 2));
    const events = await collect();
    expect(assembled(events)).toEqual(wanted);
    expect(events.filter((event) => event.type === 'tool-arguments').length).toBeGreaterThan(8);
    expect(events.at(-1)).toEqual({ type: 'finish', reason: 'tool_calls' });
  });

  test('comments, odd line ends and unknown fields do no harm', async () => {
    wire.reply({
      steps: [
        { raw: ': PROCESSING\r\n\r\n' },
        { raw: 'event: x\r\nretry: 10\r\n' },
        chunk({ content: 'a' }),
        chunk({ reasoning: 'b' }),
        chunk({}, 'stop'),
        DONE,
      ],
    });
    expect(text(await collect())).toBe('a');
  });

  test('[DONE] without a finish_reason is an end, and a finish_reason without [DONE] too', async () => {
    wire.reply(
      { steps: [chunk({ content: 'a' }), DONE] },
      { steps: [chunk({ content: 'b' }), chunk({}, 'length')] },
    );
    expect((await collect()).at(-1)).toEqual({ type: 'finish', reason: 'stop' });
    expect((await collect()).at(-1)).toEqual({ type: 'finish', reason: 'length' });
  });

  test('a provider that keeps the connection open after [DONE] holds nobody up', async () => {
    wire.reply({ steps: [chunk({ content: 'a' }), chunk({}, 'stop'), DONE, { waitMs: 3000 }] });
    const started = performance.now();
    expect((await collect()).at(-1)).toEqual({ type: 'finish', reason: 'stop' });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('usage in every chunk: the last one counts, once', async () => {
    const running = (completion: number): { data: unknown } => ({
      data: {
        choices: [{ index: 0, delta: { content: 'x' } }],
        usage: { prompt_tokens: 4, completion_tokens: completion },
      },
    });
    wire.reply({ steps: [running(1), running(2), chunk({}, 'stop'), DONE] });
    const reported = (await collect()).filter((event) => event.type === 'usage');
    expect(reported).toEqual([{ type: 'usage', inputTokens: 4, outputTokens: 2 }]);
  });
});

describe('failures', () => {
  test.each([
    [400, 'bad-request'],
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'unknown-model'],
    [422, 'bad-request'],
    [429, 'rate-limited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ] as const)("%i is %s, with the provider's words and without the key", async (status, reason) => {
    wire.reply(refuses(status, `something is wrong with ${KEY} and sk-proj-abcdef123456`));
    const { error } = await failing();
    expect(error).toMatchObject({ reason, status });
    expect(error.message).toContain('something is wrong with [redacted] and [redacted]');
    expect(error.message).toContain('"openai"');
  });

  test('429 carries Retry-After in both of its forms', async () => {
    wire.reply(
      refuses(429, 'slow down', { 'retry-after': '7' }),
      refuses(429, 'slow down', { 'retry-after': new Date(Date.now() + 30_000).toUTCString() }),
    );
    expect((await failing()).error.retryAfter).toBe(7);
    const { retryAfter } = (await failing()).error;
    expect(retryAfter).toBeGreaterThan(20);
    expect(retryAfter).toBeLessThanOrEqual(30);
  });

  test('a huge error body is read in part, a page of HTML not quoted', async () => {
    wire.reply(
      { status: 500, body: 'x'.repeat(5_000_000) },
      { status: 502, body: '<html>secret page</html>' },
    );
    expect((await failing()).error.message.length).toBeLessThan(700);
    expect((await failing()).error.message).toBe('Provider "openai" failed (502).');
  });

  test('death in the middle of the answer is stream-broken, after what was said', async () => {
    wire.reply({ steps: [chunk({ content: 'half' }), { die: true }] });
    const { events, error } = await failing();
    expect(text(events)).toBe('half');
    expect(error.reason).toBe('stream-broken');
  });

  test('an end without finish_reason or [DONE] is stream-broken, never a clean end', async () => {
    wire.reply({ steps: [chunk({ content: 'half' })] });
    const { events, error } = await failing();
    expect(events.some((event) => event.type === 'finish')).toBe(false);
    expect(error.reason).toBe('stream-broken');
  });

  test('an error inside the stream', async () => {
    wire.reply({
      steps: [chunk({ content: 'half' }), { data: { error: { message: 'overloaded', code: 429 } } }, DONE],
    });
    const { events, error } = await failing();
    expect(text(events)).toBe('half');
    expect(error.reason).toBe('rate-limited');
    expect(error.message).toContain('overloaded');
  });

  test('an event that is not JSON, and one without an end', async () => {
    wire.reply(
      { steps: [{ raw: 'data: {"choices"\n\n' }] },
      { steps: [{ raw: `data: ${'x'.repeat(1_200_000)}` }] },
    );
    expect((await failing()).error.message).toContain('not JSON');
    expect((await failing()).error.message).toContain('1048576 characters');
  });

  test('an answer that is no stream', async () => {
    wire.reply({ status: 200, body: { choices: [] } });
    expect((await failing()).error.message).toContain('application/json instead of an event stream');
  });

  test('a slow first token times out; a slow one in time does not', async () => {
    const impatient = provider({ timeouts: { firstToken: 150 } });
    wire.reply({ steps: [{ raw: ': alive\n\n' }, { waitMs: 1000 }, ...stepsOf('late')] });
    expect((await failing(impatient)).error).toMatchObject({ reason: 'timeout' });
    wire.reply({ steps: [{ waitMs: 50 }, ...stepsOf('in time')] });
    expect(text(await collect({}, impatient))).toBe('in time');
  });

  test('silence in the middle times out', async () => {
    wire.reply({ steps: [chunk({ content: 'a' }), { waitMs: 1000 }, chunk({}, 'stop'), DONE] });
    const { events, error } = await failing(provider({ timeouts: { idle: 150 } }));
    expect(text(events)).toBe('a');
    expect(error.reason).toBe('timeout');
  });

  test('a provider that is not there', async () => {
    const gone = await startOpenAiWire();
    await gone.close();
    const { error } = await failing(provider({ baseUrl: gone.baseUrl }));
    expect(error.reason).toBe('unavailable');
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('an abort ends the call at the provider too', async () => {
    const controller = new AbortController();
    wire.reply({
      steps: [chunk({ content: 'a' }), { waitMs: 300 }, chunk({ content: 'b' }), { waitMs: 300 }, DONE],
    });
    const { events, error } = await failing(
      {
        ...provider(),
        async *stream(asked) {
          for await (const event of provider().stream(asked)) {
            controller.abort();
            yield event;
          }
        },
      },
      { signal: controller.signal },
    );
    expect(text(events)).toBe('a');
    expect(error.reason).toBe('cancelled');
    await expect.poll(() => wire.aborted(), { timeout: 2000 }).toBe(1);
  });

  test('a reader that stops early closes the connection', async () => {
    wire.reply({
      steps: [chunk({ content: 'a' }), { waitMs: 100 }, chunk({ content: 'b' }), { waitMs: 100 }, DONE],
    });
    for await (const event of provider().stream(request())) {
      if (event.type === 'text') break;
    }
    await sleep(50);
    await expect.poll(() => wire.aborted(), { timeout: 2000 }).toBe(1);
  });
});

describe('the list of models', () => {
  const { signal } = new AbortController();

  test("is the configured one, or the provider's", async () => {
    expect(await provider({ models: ['a'] }).list(signal)).toEqual([{ id: 'a' }]);
    wire.reply({
      status: 200,
      body: { object: 'list', data: [{ id: 'gpt-4o' }, { id: 'o3' }, { name: 'odd' }] },
    });
    expect(await provider().list(signal)).toEqual([{ id: 'gpt-4o' }, { id: 'o3' }]);
    expect(wire.requests[0]?.path).toBe('/v1/models');
  });

  test('fails in words', async () => {
    wire.reply(refuses(401, 'bad key'), { status: 200, body: 'nonsense' }, { status: 200, body: {} });
    await expect(provider().list(signal)).rejects.toMatchObject({ reason: 'unauthorized' });
    await expect(provider().list(signal)).rejects.toThrow('not JSON');
    await expect(provider().list(signal)).rejects.toThrow('no list of models');
  });
});

function stepsOf(content: string): ReturnType<typeof chunk>[] {
  return [chunk({ content }), chunk({}, 'stop'), usage(1, 1), DONE];
}
