import { describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../gateway/contract/activity.ts';
import { newToken } from '../../../gateway/contract/token.ts';
import { createIdentity, type Identity } from '../../../gateway/identity/identity.ts';
import type { Principal } from '../../../gateway/identity/principal.ts';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';
import { newFacts, type Call, type Outcome, type Stage } from '../../../gateway/pipeline/call.ts';
import { createPipeline } from '../../../gateway/pipeline/pipeline.ts';
import { createRuling } from '../../../gateway/pipeline/ruling.ts';
import {
  authenticateStage,
  decideStage,
  recordStage,
  upstreamStage,
  validateStage,
} from '../../../gateway/pipeline/stages.ts';
import { timeoutStage } from '../../../gateway/pipeline/timeout.ts';
import type { ActivityStore } from '../../../gateway/storage/contracts.ts';
import { JsonRpcError, UnavailableError } from '../../../gateway/upstream/errors.ts';
import { catalogOf, configOf, principalOf, tool, type Offer } from './support.ts';

const SESSION = newToken('pat', new Uint8Array(32).fill(3));
const CONFIG = configOf({
  g: { s: ', timeouts: { call: 100ms }, tools: [{ match: forbidden, effect: deny }]', away: '' },
});
const TOOLS = [
  tool('add', { inputSchema: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] } }),
  tool('forbidden'),
];

/** The parts of a gateway around a pipeline, one stage of it left out where a test says so. */
function world(offer: Offer = {}, without?: keyof ReturnType<typeof stagesOf>) {
  const made = catalogOf(CONFIG, {
    'g:s': { tools: TOOLS, ...offer },
    'g:away': {
      status: { state: 'failed', lastError: 'exited with code 1', protocolVersion: undefined } as never,
    },
  });
  const records: CallRecord[] = [];
  const activity = { append: (record: CallRecord) => void records.push(record) } as unknown as ActivityStore;
  const identity = createIdentity({
    store: { current: () => ({ version: 1, tokens: [] }), onChange: () => () => undefined } as never,
    key: Buffer.alloc(32),
    ownerToken: SESSION,
    now: Date.now,
  });
  const { [without ?? 'none']: _out, ...stages } = { ...stagesOf(made, identity, activity), none: undefined };
  const broken: unknown[] = [];
  const pipeline = createPipeline(
    Object.values(stages).filter((stage): stage is Stage => stage !== undefined),
    (error) => broken.push(error),
  );
  return { ...made, records, broken, pipeline, owner: identity.authenticate(SESSION)! };
}

function stagesOf(
  { catalog, decide, upstreams }: ReturnType<typeof catalogOf>,
  identity: Identity,
  activity: ActivityStore,
) {
  const ruling = createRuling(CONFIG, { catalog, decide, guardDeps: {} as never, now: Date.now });
  return {
    record: recordStage(activity, catalog, () => 1_000),
    authenticate: authenticateStage(identity),
    decide: decideStage(decide, catalog, Date.now),
    validate: validateStage(createArgumentValidator(), catalog),
    timeout: timeoutStage(() => ruling, catalog),
    upstream: upstreamStage(upstreams, catalog),
  };
}

interface Wish {
  readonly principal?: Principal | undefined;
  readonly serverId?: string;
  readonly kind?: Call['target']['kind'];
  readonly name?: string;
  readonly args?: unknown;
  readonly signal?: AbortSignal;
}

function callOf(wish: Wish, owner: Principal): Call {
  return {
    traceId: '0'.repeat(32),
    source: 'mcp',
    principal: 'principal' in wish ? wish.principal : owner,
    target: { serverId: wish.serverId ?? 'g:s', kind: wish.kind ?? 'tool', name: wish.name ?? 'add' },
    params: { name: wish.name ?? 'add', arguments: wish.args ?? { a: 1 } },
    signal: wish.signal ?? new AbortController().signal,
    facts: newFacts(10),
  };
}

async function run(made: ReturnType<typeof world>, wish: Wish = {}): Promise<string> {
  return reason(await made.pipeline.run(callOf(wish, made.owner)));
}
const reason = (outcome: Outcome): string => (outcome.ok ? 'ok' : outcome.refusal.reason);

describe('the stages', () => {
  it('run from the outermost to the innermost and back', async () => {
    const order: string[] = [];
    const named =
      (name: string): Stage =>
      async (call, next) => {
        order.push(`${name} in`);
        const outcome = await next(call);
        order.push(`${name} out`);
        return outcome;
      };
    const end: Stage = () => Promise.resolve({ ok: true, result: {} });
    const pipeline = createPipeline([named('a'), named('b'), end], () => undefined);
    expect(reason(await pipeline.run(callOf({}, principalOf())))).toBe('ok');
    expect(order).toEqual(['a in', 'b in', 'b out', 'a out']);
  });

  it.each<[string, Stage]>([
    ['rejects', () => Promise.reject(new Error('bug'))],
    [
      'throws',
      () => {
        throw new Error('bug');
      },
    ],
  ])('refuse the call where one %s, and the refusal is recorded', async (_how, stage) => {
    const { records, ...made } = world();
    const broken: unknown[] = [];
    const record = stagesOf(
      made,
      {} as Identity,
      { append: (one: CallRecord) => void records.push(one) } as unknown as ActivityStore,
    ).record;
    const pipeline = createPipeline([record, stage, upstreamStage(made.upstreams, made.catalog)], (error) =>
      broken.push(error),
    );
    const outcome = await pipeline.run(callOf({}, made.owner));
    expect(outcome).toMatchObject({
      ok: false,
      refusal: { message: expect.stringContaining('its log says why') },
    });
    expect(JSON.stringify(outcome)).not.toContain('bug');
    expect(broken).toHaveLength(1);
    expect(records).toMatchObject([{ name: 'add', outcome: 'upstream-unavailable' }]);
    expect(made.asked).toEqual([]);
  });

  it('without an upstream refuse rather than answer', async () => {
    expect(await run(world({}, 'upstream'))).toBe('upstream-unavailable');
  });
});

describe('each stage changes what becomes of a call:', () => {
  it('record', async () => {
    const [withIt, without] = [world(), world({}, 'record')];
    await run(withIt);
    await run(without);
    expect([withIt.records.length, without.records.length]).toEqual([1, 0]);
  });

  it('P114 authenticate', async () => {
    const stranger = { ...principalOf(), tokenId: 'forged' };
    const made = world();
    expect(await run(made, { principal: undefined })).toBe('unauthenticated');
    expect(await run(made, { principal: stranger })).toBe('unauthenticated');
    expect(made.asked).toEqual([]);
    expect(await run(world({}, 'authenticate'), { principal: stranger })).toBe('ok');
  });

  it('P114 decide', async () => {
    const made = world();
    expect(await run(made, { name: 'forbidden', args: {} })).toBe('not-found');
    expect(made.asked).toEqual([]);
    expect(await run(world({}, 'decide'), { name: 'forbidden', args: {} })).toBe('ok');
  });

  it('P26 validate', async () => {
    const made = world();
    expect(await run(made, { args: { a: 'one' } })).toBe('invalid-arguments');
    expect(made.asked).toEqual([]);
    expect(await run(world({}, 'validate'), { args: { a: 'one' } })).toBe('ok');
  });

  it('P69 timeout', async () => {
    const answer: Offer['answer'] = (_method, _params, { signal }) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve({}), 400);
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason as Error);
        });
      });
    expect(await run(world({ answer }))).toBe('timeout');
    expect(await run(world({ answer }, 'timeout'))).toBe('ok');
  });
});

describe('a refusal', () => {
  it('P41 of what is denied is that of what does not exist, word for word but for the record', async () => {
    const made = world();
    const outcome = async (wish: Wish): Promise<Outcome> => made.pipeline.run(callOf(wish, made.owner));
    const denied = await outcome({ name: 'forbidden', args: {} });
    const unknown = await outcome({ name: 'nothing', args: {} });
    expect(denied).toMatchObject({
      refusal: { message: 'there is no tool forbidden', rule: 'groups[0].servers[0].tools[0]' },
    });
    expect(unknown).toEqual({
      ok: false,
      refusal: { reason: 'not-found', message: 'there is no tool nothing' },
    });
    expect(await outcome({ serverId: 'g:nobody' })).toMatchObject({
      refusal: { message: 'there is no tool add' },
    });
    expect(made.records.map(({ rule }) => rule)).toEqual(['groups[0].servers[0].tools[0]', null, null]);
  });

  it('of a server that was never there yet says so, to those who may know of it', async () => {
    const made = world();
    const outcome = await made.pipeline.run(callOf({ serverId: 'g:away' }, made.owner));
    expect(outcome).toMatchObject({
      refusal: { reason: 'upstream-unavailable', message: 't:g:away is not available: exited with code 1' },
    });
  });

  it('P68 of an upstream keeps the upstream’s own words', async () => {
    const error = new JsonRpcError(-32042, 'consent first', { url: 'https://a.example' });
    const made = world({ answer: () => Promise.reject(error) });
    expect(await made.pipeline.run(callOf({}, made.owner))).toMatchObject({
      refusal: {
        reason: 'upstream-error',
        upstreamError: { code: -32042, message: 'consent first', data: { url: 'https://a.example' } },
      },
    });
    const gone = world({ answer: () => Promise.reject(new UnavailableError('the process exited')) });
    expect(await gone.pipeline.run(callOf({}, gone.owner))).toMatchObject({
      refusal: { reason: 'upstream-unavailable', message: 'g:s is not available: the process exited' },
    });
  });

  it('for want of patience is the caller’s where the caller gave up', async () => {
    const answer: Offer['answer'] = (_method, _params, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const abort = new AbortController();
    const outcome = run(world({ answer }), { signal: abort.signal });
    abort.abort();
    expect(await outcome).toBe('cancelled');
    const never = world({ answer: () => Promise.resolve({}) });
    never.upstreams.connected = () => new Promise(() => undefined);
    expect(await run(never, { signal: AbortSignal.abort() })).toBe('cancelled');
    expect(await run(never)).toBe('timeout');
  });
});

describe('a call', () => {
  it.each([
    ['tool', 'tools/call', 'add'],
    ['resource', 'resources/read', 'x:1'],
    ['prompt', 'prompts/get', 'p'],
    ['completion', 'completion/complete', 'p'],
  ] as const)('of a %s is %s upstream', async (kind, method, name) => {
    const made = world();
    expect(await run(made, { kind, name })).toBe('ok');
    expect(made.asked).toEqual([`g:s ${method}`]);
  });

  it('gives the upstream’s result untouched', async () => {
    const result = { content: [], structuredContent: { a: null }, _meta: { x: 1 }, unknown: [1] };
    const made = world({ answer: () => Promise.resolve(result) });
    const outcome = await made.pipeline.run(callOf({}, made.owner));
    expect(outcome.ok && outcome.result).toBe(result);
  });

  it('P53 P54 is recorded with who, what, how long and what became of it, and with no payload', async () => {
    const made = world({ answer: () => Promise.resolve({ isError: true, content: 'hush' }) });
    await run(made, { args: { a: 902109021090210 } });
    expect(made.records).toMatchObject([
      {
        traceId: '0'.repeat(32),
        startedAt: 1_000,
        subject: 'user:owner',
        server: 't:g:s',
        kind: 'tool',
        name: 'add',
        outcome: 'tool_error',
        requestBytes: 10,
      },
    ]);
    expect(made.records[0]!.durationMs).toBeGreaterThanOrEqual(made.records[0]!.upstreamMs);
    expect(JSON.stringify(made.records)).not.toMatch(/902109021090210|hush/);
  });

  it('of an endless name does not fill the record', async () => {
    const made = world();
    await run(made, { name: 'x'.repeat(1_000_000), args: {} });
    expect(made.records[0]!.name).toHaveLength(1_000);
  });
});
