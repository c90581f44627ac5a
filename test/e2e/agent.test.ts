import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { agentCompletionSchema } from '../../gateway/contract/agent.ts';
import { modelListSchema } from '../../gateway/contract/registry.ts';
import { collect, eventOf, gather, type AgentClient } from '../support/agent-client.ts';
import {
  ARTICLE,
  ask,
  echo,
  LIST,
  PROVIDER_KEY,
  slow,
  startAgentSetup,
  stepsOf,
  type AgentSetup,
} from '../support/agent-setup.ts';
import { calls, chunk, refuses, says, type OpenAiWire } from '../support/openai-wire.ts';

let setup: AgentSetup;
let agent: AgentClient;
let wire: OpenAiWire;

beforeAll(async () => {
  setup = await startAgentSetup();
  ({ agent, wire } = setup);
});
afterAll(() => setup.stop());
beforeEach(() => {
  wire.requests.length = 0;
});

describe("the reference's request", () => {
  test('P29 P119–P130: streams text, the call in pieces, its result, the answer, usage and [DONE], in true order', async () => {
    wire.reply(
      { steps: [chunk({ role: 'assistant', content: 'Let me look. ' }), ...stepsOf(calls([LIST], 1))] },
      says('There are ', 'two.'),
    );
    const events = await agent.all(ARTICLE);
    const kinds = events.map(({ name, data, chunk: piece }) => {
      const choice = piece?.choices[0];
      if (data === '[DONE]') return 'done';
      if (name !== undefined) return name;
      if (!choice) return piece?.usage ? 'usage' : 'nothing';
      if (choice.finish_reason !== null) return `finish ${choice.finish_reason}`;
      if (choice.delta.role === 'tool') return 'result';
      return choice.delta.tool_calls ? 'call' : 'text';
    });
    expect(kinds).toEqual([
      'run.created',
      'iteration.started',
      'text',
      'call',
      'call',
      'call',
      'result',
      'iteration.started',
      'text',
      'text',
      'finish stop',
      'usage',
      'run.done',
      'done',
    ]);
    const { text, calls: made, results } = gather(events);
    expect(text).toBe('Let me look. There are two.');
    expect(made).toEqual([LIST]);
    expect(JSON.parse(results[0]?.content ?? '')).toHaveLength(2);
    expect(eventOf(events, 'run.created').tools).toEqual([
      { function: LIST.name, server: 'toolgate:prod-mcps:github-mcp', tool: 'listPullRequests' },
    ]);
    expect(eventOf(events, 'tool.result')).toMatchObject({
      tool: 'listPullRequests',
      isError: false,
      structuredContent: { pulls: [{ number: 41 }, { number: 42 }] },
    });
    expect(eventOf(events, 'run.done')).toMatchObject({
      status: 'completed',
      iterations: 2,
      toolCalls: 1,
      timeToFirstTokenMs: expect.any(Number) as number,
    });
    expect(events.find((event) => event.chunk?.usage)?.chunk?.usage).toEqual({
      prompt_tokens: 30,
      completion_tokens: 9,
      total_tokens: 39,
    });
    expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
  });

  test('P125: the model is offered the listed tools alone, under its real schema, and reads the result', async () => {
    wire.reply(calls([LIST]), says('ok'));
    await agent.all(ARTICLE);
    const [first, second] = wire.requests;
    expect(first?.headers['authorization']).toBe(`Bearer ${PROVIDER_KEY}`);
    expect(first?.body.model).toBe('gpt-4o');
    expect(first?.body.tools?.map((tool) => tool.function.name)).toEqual([LIST.name]);
    expect(second?.body.messages?.map((message) => message.role)).toEqual(['user', 'assistant', 'tool']);
    expect(second?.body.messages?.at(-1)).toMatchObject({
      tool_call_id: 'call_1',
      content: expect.stringContaining('Fix the cache') as string,
    });
  });

  test('the response is a stream that no proxy holds back', async () => {
    wire.reply(says('ok'));
    const { response, events } = await agent.post(ARTICLE);
    await collect(events);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'server-timing': expect.stringMatching(/^gateway;dur=\d/) as string,
    });
  });

  test('stream: false answers one completion', async () => {
    wire.reply(calls([LIST]), says('There are two.'));
    const { response } = await agent.post({ ...ARTICLE, stream: false });
    const completion = agentCompletionSchema.parse(await response.json());
    expect(completion.choices[0]).toEqual({
      index: 0,
      message: { role: 'assistant', content: 'There are two.' },
      finish_reason: 'stop',
    });
    expect(completion.usage?.total_tokens).toBe(38);
    expect(completion.toolgate).toMatchObject({
      status: 'completed',
      iterations: 2,
      toolCalls: [{ function: LIST.name, isError: false }],
    });
  });

  test('the official OpenAI SDK iterates the stream', async () => {
    wire.reply(calls([LIST]), says('There ', 'are two.'));
    const client = new OpenAI({
      baseURL: `${setup.gateway.address}/api/llm/agent`,
      apiKey: setup.gateway.token,
      maxRetries: 0,
    });
    // The SDK knows /chat/completions; the agent lives beside it and speaks the same chunks.
    const stream = await client.post<AsyncIterable<OpenAI.ChatCompletionChunk>>('/responses', {
      body: ARTICLE,
      stream: true,
    });
    let text = '';
    let total: number | undefined;
    for await (const piece of stream) {
      const delta = piece.choices[0]?.delta;
      if (delta?.role !== 'tool') text += delta?.content ?? '';
      total = piece.usage?.total_tokens ?? total;
    }
    expect(text).toBe('There are two.');
    expect(total).toBe(39);
  });
});

describe('the loop', () => {
  test('P122: stops at iteration_limit, says so, and does not run the last calls', async () => {
    wire.otherwise(() => calls([echo('again', 'x')]));
    const events = await agent.all(ask({ iteration_limit: 2 }));
    wire.otherwise(() => refuses(500, 'no reply is scripted'));
    expect(wire.requests).toHaveLength(2);
    const { text, calls: made, results } = gather(events);
    expect(made).toHaveLength(2);
    expect(results).toHaveLength(1);
    expect(text).toContain('Stopped at iteration_limit 2');
    expect(text).toContain('Raise iteration_limit');
    expect(eventOf(events, 'run.done')).toMatchObject({
      status: 'iteration_limit',
      iterations: 2,
      toolCalls: 1,
    });
    expect(events.some((event) => event.chunk?.choices[0]?.finish_reason === 'length')).toBe(true);
    expect(events.at(-1)?.data).toBe('[DONE]');
  });

  test('P68: a failing tool, broken arguments, an unknown function and refused arguments are results the model sees', async () => {
    wire.reply(
      calls([
        { id: 'a', name: 'github-mcp__createComment', arguments: '{"number":7,"text":"hi"}' },
        { id: 'b', name: 'everything-mcp__echo', arguments: '{"message":' },
        { id: 'c', name: 'everything-mcp__ecko', arguments: '{}' },
        { id: 'd', name: 'everything-mcp__echo', arguments: '{"text":"hallucinated"}' },
        echo('e', 'fine'),
      ]),
      says('done'),
    );
    const events = await agent.all(ask());
    const results = new Map(gather(events).results.map((result) => [result.id, result]));
    expect(results.get('a')?.content).toBe('[tool failed] There is no pull request 7');
    expect(results.get('b')?.content).toContain('not valid JSON');
    expect(results.get('c')?.content).toContain('Did you mean "everything-mcp__echo"?');
    expect(results.get('d')?.content).toContain('message');
    expect([...results.values()].map((result) => result.isError)).toEqual(
      expect.arrayContaining([true, true, true, true, false]),
    );
    expect(results.get('e')).toMatchObject({ content: 'Echo: fine', isError: false });
    const told = wire.requests[1]?.body.messages
      ?.filter((message) => message.role === 'tool')
      .map((message) => message.tool_call_id);
    expect(told).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(eventOf(events, 'run.done')).toMatchObject({ status: 'completed', toolCalls: 5 });
  });

  test('parallel calls run in parallel, and their results come in the order they are ready', async () => {
    wire.reply(calls([slow('slowest', 1.2), slow('slower', 0.8), echo('fast', 'hi')]), says('done'));
    const started = performance.now();
    const events = await agent.all(ask());
    expect(performance.now() - started).toBeLessThan(1900);
    expect(gather(events).results.map((result) => result.id)).toEqual(['fast', 'slower', 'slowest']);
  });

  test('a provider that repeats its call ids from turn to turn confuses nobody', async () => {
    wire.reply(calls([echo('call_0', 'one')]), calls([echo('call_0', 'two')]), says('done'));
    const { calls: made, results } = gather(await agent.all(ask()));
    expect(made.map((call) => call.arguments)).toEqual(['{"message":"one"}', '{"message":"two"}']);
    expect(results.map((result) => result.id)).toEqual(made.map((call) => call.id));
    expect(new Set(made.map((call) => call.id)).size).toBe(2);
  });

  test('P126: servers of several groups in one request; a forced tool_choice holds for the first turn', async () => {
    wire.reply(calls([LIST, echo('b', 'x')]), says('done'));
    const events = await agent.all(ask({ tool_choice: 'required', temperature: 0.1 }));
    expect(
      wire.requests.map((request) => [request.body['tool_choice'], request.body['temperature']]),
    ).toEqual([
      ['required', 0.1],
      [undefined, 0.1],
    ]);
    expect(gather(events).results).toHaveLength(2);
    expect(eventOf(events, 'run.created').omitted).toEqual([
      {
        server: 'toolgate:prod-mcps:github-mcp',
        tool: 'a'.repeat(60),
        reason: expect.stringContaining('longer than 64') as string,
      },
    ]);
  });
});

test('both addresses list the models', async () => {
  for (const path of ['/v1/models', '/api/llm/models']) {
    const list = modelListSchema.parse(await (await agent.fetch(path)).json());
    expect(list.data.map((model) => model.id)).toEqual(['openai/gpt-4o', 'demo/planner', 'gpt-4o']);
  }
});
