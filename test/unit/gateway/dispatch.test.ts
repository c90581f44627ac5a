import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createDispatch, type Exchange } from '../../../gateway/mcp/dispatch.ts';
import { createViews, type Scope } from '../../../gateway/mcp/scope.ts';
import { createModernSessions } from '../../../gateway/mcp/modern-session.ts';
import { createSessionConnections } from '../../../gateway/mcp/session-connection.ts';
import { createSessions, type Session } from '../../../gateway/mcp/sessions.ts';
import type { Stream } from '../../../gateway/mcp/streams.ts';
import type { Call, Outcome, Refusal } from '../../../gateway/pipeline/call.ts';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

const CONFIG = configOf({ g: { s: '' } });
const OFFER = {
  tools: [tool('add')],
  prompts: [{ name: 'review' }],
  resources: [{ name: 'r', uri: 'x:1' }],
  templates: [{ name: 't', uriTemplate: 'x:rows/{id}' }],
};
const OK: Outcome = { ok: true, result: { content: [], kept: null } };

/** A stream that keeps what is sent on it. */
function streamOf(sent: JsonObject[]): Stream {
  const send = (message: string): boolean => sent.push(JSON.parse(message) as JsonObject) > 0;
  return { send, finish: send, open: () => undefined, drop: () => undefined };
}

/** Asks an address, and keeps the calls that reached the pipeline. */
function world(scope: Scope, outcome: Outcome | ((call: Call) => Promise<Outcome>) = OK) {
  const { catalog, upstreams } = catalogOf(CONFIG, { 'g:s': OFFER });
  const calls: Call[] = [];
  const lookAside = (): undefined => undefined;
  const sessions = createSessions(Date.now, () => undefined);
  const session = sessions.open({
    principal: principalOf(),
    scope,
    route: '/mcp',
    protocolVersion: '2025-11-25',
    capabilities: {},
  })!;
  sessions.close();
  const dispatch = createDispatch({
    views: createViews(catalog),
    catalog,
    connections: createSessionConnections({ upstreams, catalog, lookAside, now: Date.now }),
    modernSession: createModernSessions(upstreams),
    lookAside,
    holds: () => true,
    pipeline: {
      run: (call) => {
        calls.push(call);
        return typeof outcome === 'function' ? outcome(call) : Promise.resolve(outcome);
      },
    },
  });
  const ask = async (
    method: string,
    params: JsonObject = {},
    more: Partial<Exchange> = {},
  ): Promise<JsonObject> => {
    const request = { id: 'id-1', method, params };
    const { text } = await dispatch({
      session,
      words: {},
      request,
      traceId: '0'.repeat(32),
      requestBytes: 1,
      stream: streamOf([]),
      ...more,
    });
    return JSON.parse(text) as JsonObject;
  };
  return { ask, calls, session };
}
const ALL: Scope = { kind: 'all' };
const OWN: Scope = { kind: 'server', group: 'g', server: 's' };
const refused = (refusal: Refusal): Outcome => ({ ok: false, refusal });

describe('a call', () => {
  it('P7 P8 reaches its server under the name the server knows, with its parameters as they are', async () => {
    const { ask, calls } = world(ALL);
    const params = { name: 's__add', arguments: { a: 1 }, _meta: { trace: 'x' }, task: { ttl: 1 } };
    expect(await ask('tools/call', params)).toEqual({
      jsonrpc: '2.0',
      id: 'id-1',
      result: { content: [], kept: null },
    });
    expect(calls[0]).toMatchObject({
      source: 'mcp',
      target: { serverId: 'g:s', kind: 'tool', name: 'add' },
      params: { ...params, name: 'add' },
    });
  });

  it.each([
    ['prompts/get', { name: 's__review' }, { kind: 'prompt', name: 'review' }, { name: 'review' }],
    ['resources/read', { uri: 'x:1' }, { kind: 'resource', name: 'x:1' }, { uri: 'x:1' }],
    ['resources/read', { uri: ['x:1'] }, { kind: 'resource', name: 'x:1' }, { uri: 'x:1' }],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 's__review' }, argument: { name: 'a', value: 'b' } },
      { kind: 'completion', name: 'review' },
      { ref: { type: 'ref/prompt', name: 'review' }, argument: { name: 'a', value: 'b' } },
    ],
    [
      'completion/complete',
      { ref: { type: 'ref/resource', uri: 'x:rows/{id}' } },
      { kind: 'completion', name: 'x:rows/{id}' },
      { ref: { type: 'ref/resource', uri: 'x:rows/{id}' } },
    ],
  ])('%s of %j goes there too', async (method, params, target, sent) => {
    const { ask, calls } = world(ALL);
    await ask(method, params);
    expect(calls).toMatchObject([{ target: { serverId: 'g:s', ...target }, params: sent }]);
  });

  it('keeps the client’s progress token to itself', async () => {
    const { ask, calls } = world(OWN);
    await ask('tools/call', { name: 'add', _meta: { progressToken: 'theirs', other: 1 } });
    expect(calls[0]!.params['_meta']).toEqual({ other: 1 });
    expect(calls[0]!.onProgress).toBeDefined();
    await ask('tools/call', { name: 'add' });
    expect(calls[1]!.onProgress).toBeUndefined();
  });

  it('is in flight, to be cancelled by its id, until it has ended', async () => {
    const during: (AbortController | undefined)[] = [];
    const made = world(OWN, (call) => {
      during.push(session().inFlight.get('id-1'));
      during[0]?.abort();
      return Promise.resolve(
        refused({ reason: 'cancelled', message: call.signal.aborted ? 'heard' : 'not heard' }),
      );
    });
    const session = (): Session => made.session;
    expect(await made.ask('tools/call', { name: 'add' })).toMatchObject({ error: { message: 'heard' } });
    expect(made.session.inFlight.size).toBe(0);
  });
});

describe('what never reaches the pipeline', () => {
  it.each([
    ['tools/call', { name: 'add' }, -32602],
    ['tools/call', { name: 's__nothing' }, -32602],
    ['tools/call', {}, -32602],
    ['tools/call', { name: 's__add', arguments: [1] }, -32602],
    ['tools/call', { name: 's__add', arguments: null }, -32602],
    ['prompts/get', { name: 'review' }, -32602],
    ['resources/read', { uri: 'x:2' }, -32002],
    ['resources/read', {}, -32002],
    ['completion/complete', {}, -32602],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'review' } }, -32602],
    ['logging/setLevel', { level: 'debug' }, -32601],
    ['resources/subscribe', { uri: 'x:1' }, -32601],
    ['sampling/createMessage', {}, -32601],
    ['constructor', {}, -32601],
    ['', {}, -32601],
  ])('%s %j is answered with %i', async (method, params, code) => {
    const { ask, calls } = world(ALL);
    expect(await ask(method, params)).toMatchObject({ id: 'id-1', error: { code } });
    expect(calls).toEqual([]);
  });

  it.each(['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list'])(
    'nor does %s',
    async (method) => {
      const { ask, calls } = world(OWN);
      const { result } = (await ask(method)) as { result: JsonObject };
      expect(Object.values(result)[0]).toHaveLength(1);
      expect(calls).toEqual([]);
    },
  );

  it('nor does a ping', async () => {
    expect(await world(ALL).ask('ping')).toEqual({ jsonrpc: '2.0', id: 'id-1', result: {} });
  });
});

describe('a refusal', () => {
  it('that a model can act on is a tool’s error, with its reason and rule', async () => {
    const { ask } = world(
      OWN,
      refused({ reason: 'invalid-arguments', message: 'add: a must be number', rule: 'input-schema' }),
    );
    expect(await ask('tools/call', { name: 'add' })).toMatchObject({
      result: {
        isError: true,
        content: [{ type: 'text', text: 'add: a must be number' }],
        _meta: { 'toolgate/refusal': { reason: 'invalid-arguments', rule: 'input-schema' } },
      },
    });
  });

  it.each(['unauthenticated', 'cancelled'] as const)('for being %s is the protocol’s', async (reason) => {
    const { ask } = world(OWN, refused({ reason, message: 'm' }));
    expect(await ask('tools/call', { name: 'add' })).toMatchObject({
      error: { code: -32000, data: { reason } },
    });
  });

  it('of a prompt or resource is the protocol’s', async () => {
    const { ask } = world(OWN, refused({ reason: 'timeout', message: 'late', rule: 'timeouts.call' }));
    expect(await ask('prompts/get', { name: 'review' })).toEqual({
      jsonrpc: '2.0',
      id: 'id-1',
      error: { code: -32000, message: 'late', data: { reason: 'timeout', rule: 'timeouts.call' } },
    });
  });

  it('for want of permission is what is said of things that do not exist, without the rule', async () => {
    const denied = refused({
      reason: 'not-found',
      message: 'there is no tool add',
      rule: 'groups[0].servers[0].tools[0]',
    });
    expect(await world(OWN, denied).ask('tools/call', { name: 'add' })).toEqual(
      JSON.parse('{"jsonrpc":"2.0","id":"id-1","error":{"code":-32602,"message":"Unknown tool: add"}}'),
    );
    expect(await world(OWN, denied).ask('resources/read', { uri: 'x:1' })).toMatchObject({
      error: { code: -32002, data: { uri: 'x:1' } },
    });
  });

  it('of the upstream is the upstream’s own', async () => {
    const upstreamError = { code: -32042, message: 'consent', data: { url: 'u' } };
    const { ask } = world(OWN, refused({ reason: 'upstream-error', message: 'consent', upstreamError }));
    expect(await ask('tools/call', { name: 'add' })).toEqual({
      jsonrpc: '2.0',
      id: 'id-1',
      error: upstreamError,
    });
  });
});
