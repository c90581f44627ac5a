import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent as Dispatcher } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAgent, type Agent } from '../../../gateway/agent/agent.ts';
import { RUNS_LIMITS } from '../../../gateway/agent/runs.ts';
import type { AgentRequestBody } from '../../../gateway/contract/agent.ts';
import { createAgentRoutes } from '../../../gateway/http/agent.ts';
import { createModels } from '../../../gateway/models/models.ts';
import type { Outcome } from '../../../gateway/pipeline/call.ts';
import {
  createAgentClient,
  eventOf,
  gather,
  type AgentClient,
  type RunEvent,
} from '../../support/agent-client.ts';
import {
  calls,
  chunk,
  DONE,
  refuses,
  says,
  startOpenAiWire,
  type OpenAiWire,
} from '../../support/openai-wire.ts';
import { createKeptResults } from '../../../gateway/bounds/kept-results.ts';
import { createModelPipeline } from '../../../gateway/pipeline/model-call.ts';
import { modelRecordStage } from '../../../gateway/pipeline/model-record.ts';
import { createActivity, createDirectory, createPipeline, OTHER, OWNER, textResult } from './fixtures.ts';

let wire: OpenAiWire;
let server: Server;
let agent: Agent;
let client: AgentClient;
let stranger: AgentClient;
let pipeline: ReturnType<typeof createPipeline>;
let activity: ReturnType<typeof createActivity>;
let faults: unknown[] = [];
let upstream: (tool: string) => Promise<Outcome> | Outcome;
const dispatcher = new Dispatcher();
afterAll(() => dispatcher.close());

beforeAll(async () => {
  wire = await startOpenAiWire();
});
afterAll(() => wire.close());

const done = (): Promise<void> => Promise.resolve();
const RUN_STORE = { save: done, remove: done, all: () => Promise.resolve([]), close: done };

beforeEach(async () => {
  faults = [];
  wire.requests.length = 0;
  upstream = (tool) => textResult(`${tool} answered`);
  pipeline = createPipeline((call) => upstream(call.target.name));
  activity = createActivity();
  agent = createAgent({
    holds: () => true,
    decide: () => ({ effect: 'allow', rule: 'test', reason: '' }),
    models: createModels({
      providers: [{ name: 'openai', type: 'openai', baseUrl: wire.baseUrl }],
      aliases: {},
      dispatcherFor: () => dispatcher,
    }),
    directory: createDirectory([{ group: 'g', name: 's', tools: ['one', 'two'] }]),
    pipeline,
    modelPipeline: createModelPipeline([modelRecordStage(activity, Date.now)]),
    runStore: RUN_STORE,
    kept: createKeptResults(Date.now),
    paging: () => false,
    resume: () => undefined,
    onRunOver: () => undefined,
    log: { error: (fault: unknown) => faults.push(fault) },
    now: Date.now,
    limits: { ...RUNS_LIMITS, concurrent: 2, kept: 2 },
  });
  const routes = createAgentRoutes({ agent });
  server = createServer((req, res) => {
    const principal = req.headers.authorization === 'Bearer stranger' ? OTHER : OWNER;
    void routes.handle(req, res, principal, req.url ?? '').then((handled) => {
      if (!handled) res.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = createAgentClient(address, 'owner');
  stranger = createAgentClient(address, 'stranger');
});
afterEach(() => {
  agent.close();
  server.close();
  server.closeAllConnections();
});

const BODY: AgentRequestBody = {
  model: 'openai/gpt-4o',
  stream: true,
  messages: [{ role: 'user', content: 'go' }],
  mcp_servers: [{ integration_fqn: 'g:s' }],
};
const call = (id: string, name = 's__one', args = '{}'): { id: string; name: string; arguments: string } => ({
  id,
  name,
  arguments: args,
});
const runOf = (events: readonly RunEvent[]): string => eventOf(events, 'run.created').runId;

describe('the loop', () => {
  test('calls the pipeline with the run, the trace, the caller and the arguments', async () => {
    wire.reply(calls([call('a', 's__two', '{"x":[1]}')]), says('done'));
    const events = await client.all(BODY);
    expect(pipeline.calls).toEqual([
      expect.objectContaining({
        runId: runOf(events),
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        source: 'agent',
        principal: OWNER,
        target: { serverId: 'g:s', kind: 'tool', name: 'two' },
        params: { name: 'two', arguments: { x: [1] } },
      }),
    ]);
    expect(activity.records.map((record) => [record.kind, record.traceId, record.subject])).toEqual([
      ['model', pipeline.calls[0]?.traceId, 'user:owner'],
      ['model', pipeline.calls[0]?.traceId, 'user:owner'],
    ]);
  });

  test('a refusal of the pipeline is a result the model sees', async () => {
    upstream = () => ({ ok: false, refusal: { reason: 'timeout', message: 'no answer within 60 s' } });
    wire.reply(calls([call('a')]), says('done'));
    const { results } = gather(await client.all(BODY));
    expect(results).toEqual([{ id: 'a', content: '[tool failed] no answer within 60 s', isError: true }]);
  });

  test('arguments that are no object call nothing; no arguments at all are an empty object', async () => {
    wire.reply(
      calls([call('a', 's__one', '[1]'), call('b', 's__one', ''), call('c', 's__one', '"x"')]),
      says('done'),
    );
    await client.all(BODY);
    expect(pipeline.calls.map((made) => made.params['arguments'])).toEqual([{}]);
  });

  test('more calls in one turn than 64 are answered without being made', async () => {
    wire.reply(calls(Array.from({ length: 70 }, (_, index) => call(`c${index}`))), says('done'));
    const { results } = gather(await client.all(BODY));
    expect(pipeline.calls).toHaveLength(64);
    expect(results.filter((result) => result.isError)).toHaveLength(6);
    expect(results.find((result) => result.isError)?.content).toContain('No more than 64');
  });

  test('a limit that is the highest there is gives no advice to raise it', async () => {
    wire.otherwise(() => calls([call('a')]));
    const { text } = gather(await client.all({ ...BODY, iteration_limit: 20 }));
    wire.otherwise(() => refuses(500, 'no reply is scripted'));
    expect(wire.requests).toHaveLength(20);
    expect(text).toContain('20 is the most there is');
  });

  test('a failure of a model call is recorded with its reason', async () => {
    wire.reply(refuses(429, 'slow down', { 'retry-after': '3' }));
    const { response } = await client.post(BODY);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '3']);
    expect(activity.records).toEqual([
      expect.objectContaining({ kind: 'model', outcome: 'rate-limited', timeToFirstTokenMs: null }),
    ]);
  });

  test('a fault inside the gateway fails the run, is logged, and tells no detail', async () => {
    upstream = () => Promise.reject(new TypeError('secret detail'));
    wire.reply(calls([call('a')]));
    const events = await client.all(BODY);
    expect(eventOf(events, 'run.done').status).toBe('failed');
    expect(JSON.stringify(events)).not.toContain('secret detail');
    expect(faults).toHaveLength(1);
  });
});

describe('runs', () => {
  /** Posts a run that waits for `release`. */
  async function hold(): Promise<{ release: () => void; id: string; response: Response }> {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    wire.reply({ steps: [chunk({ content: 'x' }), { until }, chunk({}, 'stop'), DONE] });
    const { response } = await client.post(BODY);
    return { release, response, id: response.headers.get('x-toolgate-run-id') ?? '' };
  }

  test('belong to the one who started them: to others they do not exist', async () => {
    const { id, release } = await hold();
    for (const [path, method] of [
      ['', 'GET'],
      ['/events', 'GET'],
      ['/cancel', 'POST'],
    ] as const) {
      const mine = await stranger.fetch(`/api/llm/agent/runs/${id}${path}`, { method });
      const missing = await stranger.fetch(`/api/llm/agent/runs/run_${'0'.repeat(32)}${path}`, { method });
      expect(mine.status).toBe(404);
      expect((await mine.text()).replaceAll(id, 'ID')).toBe(
        (await missing.text()).replaceAll(`run_${'0'.repeat(32)}`, 'ID'),
      );
    }
    release();
    const view = (await (await client.fetch(`/api/llm/agent/runs/${id}`)).json()) as { status: string };
    expect(view.status).not.toBe('cancelled');
  });

  test('more at once than allowed are refused with 429', async () => {
    const held = [await hold(), await hold()];
    const { response } = await client.post(BODY);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '5']);
    expect(await response.text()).toContain('2 agent runs are under way');
    for (const one of held) one.release();
    await Promise.all(held.map((one) => one.response.text()));
    wire.reply(says('room again'));
    expect(gather(await client.all(BODY)).text).toBe('room again');
  });

  test('the oldest ended ones are forgotten first', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      wire.reply(says('x'));
      ids.push(runOf(await client.all(BODY)));
    }
    const statuses = await Promise.all(
      ids.map(async (id) => (await client.fetch(`/api/llm/agent/runs/${id}`)).status),
    );
    expect(statuses).toEqual([404, 200, 200]);
  });

  test('events that are no longer kept are said to be gone', async () => {
    upstream = () => textResult('x'.repeat(390_000));
    wire.reply(calls(Array.from({ length: 14 }, (_, index) => call(`c${index}`))), says('done'));
    const { response } = await client.post(BODY);
    const id = response.headers.get('x-toolgate-run-id') ?? '';
    await response.text();
    const gone = await client.follow(id, 3);
    expect(gone.response.status).toBe(410);
    expect(await gone.response.text()).toContain('no longer all kept');
    expect((await client.follow(id)).response.status).toBe(410);
  });

  test('a client that asked for no stream and went away has its run cancelled', async () => {
    const before = wire.aborted();
    wire.reply({
      steps: [chunk({ content: 'x' }), { waitMs: 400 }, chunk({ content: 'y' }), { waitMs: 400 }, DONE],
    });
    const controller = new AbortController();
    const posted = client.post({ ...BODY, stream: false }, controller.signal);
    await expect.poll(() => wire.requests.length).toBe(1);
    controller.abort();
    await expect(posted).rejects.toThrow();
    await expect.poll(() => wire.aborted()).toBe(before + 1);
    expect(activity.records[0]?.outcome).toBe('cancelled');
  });

  test('closing the agent ends what is under way', async () => {
    const { response, release } = await hold();
    agent.close();
    expect(await response.text()).toContain('"status":"cancelled"');
    release();
  });
});
