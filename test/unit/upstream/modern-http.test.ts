import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { JsonRpcError, UnavailableError } from '../../../gateway/upstream/errors.ts';
import { connectHttp } from '../../../gateway/upstream/streamable-http.ts';
import { json, startHttpWorld, stream, type HttpWorld } from '../gateway/http-world.ts';

interface Asked {
  readonly message: JsonObject;
  readonly params: JsonObject;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

const DISCOVERED = {
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: { listChanged: true } },
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'modern', version: '3' } },
};

let world: HttpWorld;
let dispatcher: Agent;
let connection: Connection;
let seen: Asked[];
let warnings: string[];
let notified: string[];
let renewed: number;
/** How the server answers by method; anything else gets an empty result. */
let answers: Record<string, (asked: Asked) => void>;

const answer = ({ message, res }: Asked, result: JsonObject): void =>
  json(res, { id: message['id'], result: { resultType: 'complete', ...result } });
const refuse = ({ message, res }: Asked, status: number, error: JsonObject): void => {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ jsonrpc: '2.0', id: message['id'], error }));
};

beforeEach(async () => {
  seen = [];
  warnings = [];
  notified = [];
  renewed = 0;
  dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  world = await startHttpWorld();
  answers = {
    'server/discover': (asked) => answer(asked, DISCOVERED),
    'subscriptions/listen': ({ message, res }) => {
      const meta = { 'io.modelcontextprotocol/subscriptionId': message['id'] };
      stream(res).send({ method: 'notifications/subscriptions/acknowledged', params: { _meta: meta } });
    },
  };
  world.answerAll((req, res) => {
    if (req.method !== 'POST') {
      res.writeHead(405).end();
      return;
    }
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const message = JSON.parse(Buffer.concat(chunks).toString()) as JsonObject;
      const asked = { message, params: message['params'] as JsonObject, req, res };
      seen.push(asked);
      (answers[String(message['method'])] ?? ((one) => answer(one, {})))(asked);
    });
  });
});
afterEach(async () => {
  await connection.close();
  await dispatcher.destroy();
  world.close();
});

async function connect(protocol: 'auto' | 'modern' = 'auto'): Promise<Connection> {
  connection = await connectHttp({
    url: world.url,
    headers: { authorization: 'Bearer upstream-key' },
    dispatcher,
    approach: { protocol, memory: {} },
    client: { version: '9.9.9', capabilities: {} },
    signal: AbortSignal.timeout(5_000),
    events: {
      onNotification: (method) => void notified.push(method),
      onRenewed: () => (renewed += 1),
      onLost: () => undefined,
      onStderr: () => undefined,
      onWarning: (words) => void warnings.push(words),
    },
  });
  return connection;
}

const call = (params: JsonObject, more: object = {}): Promise<JsonObject> =>
  connection.request('tools/call', params, { signal: AbortSignal.timeout(5_000), ...more });
const calls = (): Asked[] => seen.filter(({ message }) => message['method'] === 'tools/call');

describe('a request', () => {
  it('says in body and headers what it is for, which version it speaks and who asks', async () => {
    await connect();
    expect(connection.era).toBe('modern');
    expect(connection.handshake.serverInfo).toEqual({ name: 'modern', version: '3' });
    const envelope = {
      clientCapabilities: { elicitation: {} },
      clientInfo: { name: 'caller', version: '1' },
      logLevel: 'info',
    };
    const forged = { 'io.modelcontextprotocol/clientCapabilities': { sampling: {} }, traceparent: '00-1' };
    await call({ name: 'größe', _meta: forged }, { envelope });
    await call({ name: 'plain' });
    expect(calls().map(({ params }) => params['_meta'])).toEqual([
      {
        traceparent: '00-1',
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
        'io.modelcontextprotocol/clientInfo': { name: 'caller', version: '1' },
        'io.modelcontextprotocol/logLevel': 'info',
      },
      {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
        'io.modelcontextprotocol/clientInfo': { name: 'toolgate', version: '9.9.9' },
      },
    ]);
    expect(calls()[0]?.req.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': '=?base64?Z3LDtsOfZQ==?=',
      authorization: 'Bearer upstream-key',
    });
    for (const { req } of seen) {
      expect(req.method).toBe('POST');
      expect(req.headers).not.toHaveProperty('mcp-session-id');
    }
  });

  it('gets what comes on its stream, progress and logs before the result', async () => {
    await connect();
    answers['tools/call'] = ({ message, params, res }) => {
      const { progressToken } = params['_meta'] as JsonObject;
      const out = stream(res);
      out.send({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
      out.send({ method: 'notifications/message', params: { level: 'info', data: 'working' } });
      out.send({ id: message['id'], result: { resultType: 'complete', content: [] } });
      out.end();
    };
    const heard: unknown[] = [];
    const result = await call(
      { name: 'a' },
      {
        onProgress: ({ progress }: { progress: number }) => heard.push(progress),
        related: { onNotification: (_method: string, { data }: JsonObject) => heard.push(data) },
      },
    );
    expect(heard).toEqual([1, 'working']);
    expect(result).toEqual({ resultType: 'complete', content: [] });
  });

  it('is cancelled by the end of its exchange, and by no message', async () => {
    await connect();
    let closed = false;
    answers['tools/call'] = ({ res }) => {
      stream(res).send({ method: 'notifications/message', params: {} });
      res.on('close', () => (closed = true));
    };
    const cancel = new AbortController();
    const pending = call({ name: 'a' }, { signal: cancel.signal });
    await expect.poll(() => calls()).toHaveLength(1);
    cancel.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    await expect.poll(() => closed).toBe(true);
    expect(seen.map(({ message }) => message['method'])).not.toContain('notifications/cancelled');
  });
});

describe('an answer', () => {
  it('that asks for input comes back untouched', async () => {
    await connect();
    const asks = { resultType: 'input_required', inputRequests: { a: {} }, requestState: 'x', unknown: 1 };
    answers['tools/call'] = (asked) => answer(asked, asks);
    expect(await call({ name: 'a' })).toEqual(asks);
  });

  it('of a type that nobody knows is none', async () => {
    await connect();
    answers['tools/call'] = (asked) => answer(asked, { resultType: 'task' });
    await expect(call({ name: 'a' })).rejects.toThrow('unknown type "task"');
  });

  it('that is an error with a status of its own is passed on as it is', async () => {
    await connect();
    const error = {
      code: -32021,
      message: 'needs sampling',
      data: { requiredCapabilities: { sampling: {} } },
    };
    answers['tools/call'] = (asked) => refuse(asked, 400, error);
    const failed = await call({ name: 'a' }).catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(JsonRpcError);
    expect(failed).toMatchObject(error);
    expect(renewed).toBe(0);
  });
});

describe('a tool that marks arguments', () => {
  const tool = (name: string, mark: string): JsonObject => ({
    name,
    inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': mark } } },
  });
  const list = (): Promise<JsonObject> =>
    connection.request('tools/list', {}, { signal: AbortSignal.timeout(5_000) });

  it('has them in headers, and one with a faulty mark is left out with a warning', async () => {
    await connect();
    answers['tools/list'] = (asked) => answer(asked, { tools: [tool('good', 'Region'), tool('bad', 'a b')] });
    expect((await list())['tools']).toEqual([tool('good', 'Region')]);
    expect(warnings).toEqual([expect.stringContaining('the tool bad is left out') as string]);
    await call({ name: 'good', arguments: { region: 'eu\r\nx-evil: 1' } });
    expect(calls()[0]?.req.headers).toMatchObject({ 'mcp-param-region': '=?base64?ZXUNCngtZXZpbDogMQ==?=' });
    expect(calls()[0]?.req.headers).not.toHaveProperty('x-evil');
  });

  it('and has changed its marks is listed again, and the call sent once more', async () => {
    await connect();
    answers['tools/list'] = (asked) => answer(asked, { tools: [tool('a', 'Old')] });
    await list();
    answers['tools/list'] = (asked) => answer(asked, { tools: [tool('a', 'New')] });
    answers['tools/call'] = (asked) =>
      asked.req.headers['mcp-param-new'] === 'eu'
        ? answer(asked, { content: [] })
        : refuse(asked, 400, { code: -32020, message: 'Mcp-Param-New is missing' });
    expect(await call({ name: 'a', arguments: { region: 'eu' } })).toMatchObject({ content: [] });
    expect(calls()).toHaveLength(2);
  });

  it('that the server refuses all the same is the gateway’s trouble and told in words', async () => {
    await connect();
    answers['tools/call'] = (asked) => refuse(asked, 400, { code: -32020, message: 'no' });
    const failed = await call({ name: 'a' }).catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(UnavailableError);
    expect(String(failed)).toContain('does not accept the headers');
  });
});

describe('what a server announces', () => {
  it('is listened to, and again after a break, in which something may have changed', async () => {
    let open: ServerResponse | undefined;
    const announce = answers['subscriptions/listen']!;
    answers['subscriptions/listen'] = (asked) => {
      open = asked.res;
      announce(asked);
    };
    await connect();
    await expect.poll(() => open).toBeDefined();
    const [listen] = seen.filter(({ message }) => message['method'] === 'subscriptions/listen');
    expect(listen?.params['notifications']).toEqual({ toolsListChanged: true });
    const event = { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: {} };
    open?.write(`data: ${JSON.stringify(event)}\n\n`);
    await expect.poll(() => notified).toEqual(['notifications/tools/list_changed']);
    expect(renewed).toBe(0);
    open?.destroy();
    await expect.poll(() => renewed, { timeout: 10_000 }).toBe(1);
  });
});

describe('a legacy server', () => {
  it('that never answers what it does not know is spoken to all the same, and not asked for ever', async () => {
    const initialized = { protocolVersion: '2025-11-25', serverInfo: { name: 'old' }, capabilities: {} };
    let given = false;
    answers = {
      initialize: ({ message, res }) => json(res, { id: message['id'], result: initialized }),
      'notifications/initialized': ({ res }) => res.writeHead(202).end(),
      'server/discover': ({ res }) => res.on('close', () => (given = true)),
    };
    await connect();
    expect(connection.era).toBe('legacy');
    expect(connection.handshake.shyAt).toBeGreaterThan(0);
    await expect.poll(() => given).toBe(true);
  });

  it.each([404, 405, 500])('that answers HTTP %i is one', async (status) => {
    const initialized = { protocolVersion: '2025-11-25', serverInfo: { name: 'old' }, capabilities: {} };
    answers = {
      initialize: ({ message, res }) => json(res, { id: message['id'], result: initialized }),
      'notifications/initialized': ({ res }) => res.writeHead(202).end(),
      'server/discover': ({ res }) => res.writeHead(status).end('<html>'),
    };
    await connect();
    expect(connection.era).toBe('legacy');
    expect(connection.handshake.shyAt).toBeUndefined();
  });
});

describe('a server that changes its era', () => {
  it('to the legacy one is spoken to in that, and the call sent again', async () => {
    await connect();
    const initialized = { protocolVersion: '2025-11-25', serverInfo: { name: 'old' }, capabilities: {} };
    answers = {
      initialize: ({ message, res }) => json(res, { id: message['id'], result: initialized }),
      'notifications/initialized': ({ res }) => res.writeHead(202).end(),
      'server/discover': ({ res }) => res.writeHead(400).end('Missing session'),
      'tools/call': (asked) =>
        asked.req.headers['mcp-protocol-version'] === '2026-07-28'
          ? asked.res.writeHead(400).end('Missing session')
          : answer(asked, { content: ['old'] }),
    };
    expect(await call({ name: 'a' })).toMatchObject({ content: ['old'] });
    expect(connection.era).toBe('legacy');
    expect(renewed).toBe(1);
  });

  it('to the modern one is, too', async () => {
    const initialized = { protocolVersion: '2025-11-25', serverInfo: { name: 'old' }, capabilities: {} };
    const modern = answers;
    answers = {
      initialize: ({ message, res }) => json(res, { id: message['id'], result: initialized }),
      'notifications/initialized': ({ res }) => res.writeHead(202).end(),
      'server/discover': (asked) => refuse(asked, 200, { code: -32601, message: 'Method not found' }),
    };
    await connect();
    expect(connection.era).toBe('legacy');
    answers = {
      ...modern,
      'tools/call': (asked) =>
        asked.req.headers['mcp-method'] === undefined
          ? refuse(asked, 400, { code: -32020, message: 'Mcp-Method is missing' })
          : answer(asked, { content: ['new'] }),
    };
    expect(await call({ name: 'a' })).toMatchObject({ content: ['new'] });
    expect(connection.era).toBe('modern');
  });

  it('and refuses its own version once names it as supported, and is asked again', async () => {
    let tries = 0;
    answers['server/discover'] = (asked) =>
      ++tries === 1
        ? refuse(asked, 400, { code: -32022, message: 'no', data: { supported: ['2026-07-28'] } })
        : answer(asked, DISCOVERED);
    await connect();
    expect(connection.era).toBe('modern');
  });

  it('that speaks only versions to come says which', async () => {
    await connect();
    await connection.close();
    answers['server/discover'] = (asked) =>
      refuse(asked, 400, { code: -32022, message: 'no', data: { supported: ['2028-01-01'] } });
    await expect(connect()).rejects.toThrow('the server speaks MCP 2028-01-01');
  });
});
