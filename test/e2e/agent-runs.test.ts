import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { activityPageSchema } from '../../gateway/contract/activity.ts';
import { runViewSchema } from '../../gateway/contract/agent.ts';
import { collect, eventOf, gather, type AgentClient, type RunEvent } from '../support/agent-client.ts';
import {
  ARTICLE,
  ask,
  GITHUB,
  LIST,
  PROVIDER_KEY,
  slow,
  startAgentSetup,
  stepsOf,
  type AgentSetup,
} from '../support/agent-setup.ts';
import { calls, chunk, DONE, refuses, says, usage, type OpenAiWire } from '../support/openai-wire.ts';

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

const last = (events: readonly RunEvent[]): string | undefined => events.at(-1)?.data;

describe('requests that cannot run', () => {
  test.each<[string, object, number, string, string]>([
    [
      'an unknown key',
      { ...ARTICLE, iterationlimit: 3 },
      400,
      'iterationlimit',
      'did you mean "iteration_limit"?',
    ],
    [
      'an unknown key of a server',
      { ...ARTICLE, mcp_servers: [{ integration_fqn: 'x', tool: [] }] },
      400,
      'mcp_servers.0.tool',
      'did you mean "tools"?',
    ],
    ['no messages', { ...ARTICLE, messages: [] }, 400, 'messages', 'messages'],
    ['a limit too high', { ...ARTICLE, iteration_limit: 21 }, 400, 'iteration_limit', '20'],
    ['an unknown model', { ...ARTICLE, model: 'gpt-4p' }, 404, 'model', 'Did you mean "gpt-4o"?'],
    [
      'an unknown server',
      { ...ARTICLE, mcp_servers: [{ integration_fqn: 'truefoundry:prod-mcps:nothing' }] },
      404,
      'mcp_servers.0.integration_fqn',
      '"truefoundry:prod-mcps:nothing"',
    ],
    [
      'an unknown tool',
      { ...ARTICLE, mcp_servers: [{ integration_fqn: GITHUB, tools: [{ name: 'dropTables' }] }] },
      404,
      'mcp_servers.0.tools.0.name',
      '"dropTables"',
    ],
    [
      'a tool whose name no model takes',
      { ...ARTICLE, mcp_servers: [{ integration_fqn: GITHUB, tools: [{ name: 'a'.repeat(60) }] }] },
      400,
      'mcp_servers.0.tools.0.name',
      'longer than 64',
    ],
  ])('%s', async (_, body, status, param, words) => {
    const { response } = await agent.post(body);
    const { error } = (await response.json()) as { error: { message: string; param: string } };
    expect({ status: response.status, param: error.param }).toEqual({ status, param });
    expect(error.message).toContain(words);
    expect(wire.requests).toHaveLength(0);
  });

  test('a body that is no JSON, one that is too large, and a wrong method', async () => {
    const post = (body: string): Promise<Response> =>
      agent.fetch('/api/llm/agent/responses', { method: 'POST', body });
    expect((await post('{"model":')).status).toBe(400);
    expect((await post(JSON.stringify({ x: 'y'.repeat(5_000_000) }))).status).toBe(413);
    expect((await agent.fetch('/api/llm/agent/responses')).status).toBe(405);
  });

  test('without a token nothing is answered', async () => {
    const response = await fetch(`${setup.gateway.address}/api/llm/agent/responses`, {
      method: 'POST',
      body: JSON.stringify(ARTICLE),
    });
    expect(response.status).toBe(401);
    expect(wire.requests).toHaveLength(0);
  });
});

describe('a model that fails', () => {
  test.each([
    [400, 400, 'provider_bad_request'],
    [401, 502, 'provider_unauthorized'],
    [404, 404, 'model_not_found'],
    [429, 429, 'provider_rate_limited'],
    [500, 502, 'provider_unavailable'],
  ])('before its first token: %i becomes %i', async (theirs, ours, code) => {
    wire.reply(refuses(theirs, 'the reason of the provider', { 'retry-after': '9' }));
    const { response } = await agent.post(ARTICLE);
    const { error } = (await response.json()) as { error: { message: string; code: string } };
    expect([response.status, error.code, response.headers.get('retry-after')]).toEqual([ours, code, '9']);
    expect(error.message).toContain('the reason of the provider');
    expect(error.message).not.toContain(PROVIDER_KEY);
  });

  test('in the middle of its answer: an error and run.done end the stream, never [DONE]', async () => {
    wire.reply(calls([LIST]), { steps: [chunk({ content: 'There a' }), { die: true }] });
    const events = await agent.all(ARTICLE);
    expect(gather(events).text).toBe('There a');
    expect(events.at(-2)?.error).toMatchObject({ code: 'provider_stream_broken' });
    expect(events.at(-1)?.name).toBe('run.done');
    expect(eventOf(events, 'run.done')).toMatchObject({
      status: 'failed',
      toolCalls: 1,
      error: expect.any(String) as string,
    });
    expect(events.some((event) => event.data === '[DONE]')).toBe(false);
    expect(events.some((event) => event.chunk?.choices[0]?.finish_reason)).toBe(false);
  });

  test('the official SDK throws on it', async () => {
    wire.reply({ steps: [chunk({ content: 'There a' }), { die: true }] });
    const client = new OpenAI({
      baseURL: `${setup.gateway.address}/api/llm/agent`,
      apiKey: setup.gateway.token,
      maxRetries: 0,
    });
    const stream = await client.post<AsyncIterable<OpenAI.ChatCompletionChunk>>('/responses', {
      body: ARTICLE,
      stream: true,
    });
    await expect(collectAny(stream)).rejects.toThrow(/connection to provider "openai" broke/);
  });

  test('a slow first token: the stream begins, and the answer comes', async () => {
    wire.reply({ steps: [{ waitMs: 5600 }, ...stepsOf(says('late'))] });
    const started = performance.now();
    const { events } = await agent.post(ARTICLE);
    const first = performance.now() - started;
    expect(first).toBeLessThan(5600);
    expect(gather(await collect(events)).text).toBe('late');
  });

  test('P121: stream: false gets the HTTP error even after tools ran', async () => {
    wire.reply(calls([LIST]), refuses(503, 'overloaded'));
    const { response } = await agent.post({ ...ARTICLE, stream: false });
    expect(response.status).toBe(502);
  });
});

describe('runs', () => {
  /** Starts a run that stays under way until `release`, and reads it as far as its first text. */
  async function begin(
    signal?: AbortSignal,
  ): Promise<{ id: string; release: () => void; events: AsyncIterator<RunEvent>; seen: RunEvent[] }> {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    wire.reply({
      steps: [
        chunk({ content: 'one ' }),
        { until },
        chunk({ content: 'two' }),
        chunk({}, 'stop'),
        usage(1, 1),
        DONE,
      ],
    });
    const stream = await agent.post(ARTICLE, signal);
    const events = stream.events[Symbol.asyncIterator]();
    const seen: RunEvent[] = [];
    while (!seen.some((event) => event.chunk?.choices[0]?.delta.content === 'one ')) {
      const { value, done } = await events.next();
      if (done === true) throw new Error('the stream ended early');
      seen.push(value);
    }
    return { id: eventOf(seen, 'run.created').runId, release, events, seen };
  }

  const view = async (id: string): Promise<ReturnType<typeof runViewSchema.parse>> =>
    runViewSchema.parse(await (await agent.fetch(`/api/llm/agent/runs/${id}`)).json());

  test('a run outlives its client, and resumes from Last-Event-ID without gap or repetition', async () => {
    const client = new AbortController();
    const { id, release, seen } = await begin(client.signal);
    client.abort();
    expect(await view(id)).toMatchObject({ status: 'running', model: 'gpt-4o' });
    const resumed = await agent.follow(id, seen.length);
    release();
    const rest = await collect(resumed.events);
    expect(rest[0]?.id).toBe(seen.length + 1);
    expect(gather([...seen, ...rest]).text).toBe('one two');
    expect(last(rest)).toBe('[DONE]');
    expect(await view(id)).toMatchObject({ status: 'completed', lastEventId: seen.length + rest.length });
    const again = await collect((await agent.follow(id)).events);
    expect(again.map((event) => event.data)).toEqual([...seen, ...rest].map((event) => event.data));
    expect((await agent.follow(id, 4000)).response.status).toBe(400);
    expect((await agent.follow(id, 'x')).response.status).toBe(400);
  });

  test('cancel ends the run, at the provider too', async () => {
    const before = wire.aborted();
    const { id, release, events } = await begin();
    const answer = await agent.fetch(`/api/llm/agent/runs/${id}/cancel`, { method: 'POST' });
    expect(runViewSchema.parse(await answer.json())).toMatchObject({ id, status: 'cancelled' });
    const rest = await collect({ [Symbol.asyncIterator]: () => events });
    expect(eventOf(rest, 'run.done').status).toBe('cancelled');
    expect(last(rest)).not.toBe('[DONE]');
    // Before the provider goes on: it is the connection's end that it sees, not a failed write.
    await expect.poll(() => wire.aborted(), { timeout: 5_000 }).toBe(before + 1);
    release();
  });

  test('cancel reaches a tool that is running', async () => {
    wire.reply(calls([slow('a', 20)]));
    const { events } = await agent.post(ask());
    const seen: RunEvent[] = [];
    for await (const event of events) {
      seen.push(event);
      if (gather(seen).calls[0]?.arguments.endsWith('}') === true && seen.length < 100) {
        const { runId } = eventOf(seen, 'run.created');
        if (event.name === undefined)
          await agent.fetch(`/api/llm/agent/runs/${runId}/cancel`, { method: 'POST' });
      }
    }
    expect(eventOf(seen, 'run.done')).toMatchObject({ status: 'cancelled', toolCalls: 0 });
    expect(eventOf(seen, 'run.done').durationMs).toBeLessThan(10_000);
  });

  test('an unknown run is not found', async () => {
    const paths = ['', '/events', '/cancel'].map((action) => `/api/llm/agent/runs/run_0123${action}`);
    const statuses = await Promise.all(
      paths.map(
        async (path) =>
          (await agent.fetch(path, { method: path.endsWith('cancel') ? 'POST' : 'GET' })).status,
      ),
    );
    expect(statuses).toEqual([404, 404, 404]);
  });

  test('P53 P132: every model call and tool call is recorded, under one trace', async () => {
    wire.reply(calls([LIST]), says('There ', 'are two.'));
    const events = await agent.all(ARTICLE);
    const { runId, traceId } = eventOf(events, 'run.created');
    const records = async (): Promise<ReturnType<typeof activityPageSchema.parse>['calls']> => {
      const page = activityPageSchema.parse(await (await agent.fetch('/api/v1/activity?limit=100')).json());
      return page.calls.filter((record) => record.runId === runId).toReversed();
    };
    await expect.poll(records, { timeout: 3000 }).toHaveLength(3);
    const found = await records();
    expect(new Set(found.map((record) => record.traceId))).toEqual(new Set([traceId]));
    expect(found.filter((record) => record.kind === 'model')).toEqual([
      expect.objectContaining({
        server: 'openai',
        name: 'gpt-4o',
        outcome: 'ok',
        source: 'agent',
        inputTokens: 20,
        outputTokens: 7,
        timeToFirstTokenMs: expect.any(Number) as number,
      }),
      expect.objectContaining({ inputTokens: 10, outputTokens: 2 }),
    ]);
    expect(found.find((record) => record.kind === 'tool')).toMatchObject({
      name: 'listPullRequests',
      outcome: 'ok',
      server: 'toolgate:prod-mcps:github-mcp',
    });
  });
});

async function collectAny(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}
