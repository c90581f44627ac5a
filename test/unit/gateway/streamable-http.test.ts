import type { ServerResponse } from 'node:http';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { Connection } from '../../../gateway/upstream/connection.ts';
import { JsonRpcError, UnavailableError } from '../../../gateway/upstream/errors.ts';
import { connectHttp } from '../../../gateway/upstream/streamable-http.ts';
import { HANDSHAKE, json, startHttpWorld, stream, type Exchange, type HttpWorld } from './http-world.ts';

let world: HttpWorld;
let dispatcher: Agent;
let lost: string[];
let renewed: number;
let notified: string[];
const open: Connection[] = [];

beforeEach(async () => {
  lost = [];
  renewed = 0;
  notified = [];
  dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  world = await startHttpWorld();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await dispatcher.destroy();
  world.close();
});

async function connect(
  headers: Record<string, string> = {},
  signal = AbortSignal.timeout(5_000),
): Promise<Connection> {
  const connection = await connectHttp({
    url: world.url,
    headers,
    dispatcher,
    approach: { protocol: 'legacy', memory: {} },
    client: { version: '9.9.9', capabilities: {} },
    signal,
    events: {
      onNotification: (method) => void notified.push(method),
      onRenewed: () => (renewed += 1),
      onLost: (reason) => void lost.push(reason),
      onStderr: () => undefined,
      onWarning: () => undefined,
    },
  });
  open.push(connection);
  return connection;
}

const ask = (
  connection: Connection,
  method = 'tools/call',
  signal = AbortSignal.timeout(5_000),
): Promise<JsonObject> => connection.request(method, { name: 'x' }, { signal });
const methods = (): string[] => world.seen.map(({ method }) => method);

describe('the handshake', () => {
  it('offers the newest revision and no capability, then speaks the server’s revision in its session', async () => {
    const connection = await connect({ authorization: 'Bearer upstream-key' });
    expect(connection.handshake).toMatchObject({
      protocolVersion: '2025-06-18',
      serverInfo: { name: 'test' },
    });
    await ask(connection);
    expect(methods()).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
    const [initialize, initialized, call] = world.seen;
    expect(initialize?.headers).toMatchObject({ accept: 'application/json, text/event-stream' });
    expect(initialize?.session).toBeUndefined();
    for (const later of [initialized, call]) {
      expect(later?.session).toBe('session-1');
      expect(later?.headers['mcp-protocol-version']).toBe('2025-06-18');
    }
    for (const { headers } of world.seen) expect(headers.authorization).toBe('Bearer upstream-key');
    expect(world.seen[2]?.headers.host).toBe(world.url.host);
  });

  it('takes no revision that the gateway does not speak', async () => {
    world.answerAll((_req, res: ServerResponse) => {
      json(res, { id: 1, result: { ...HANDSHAKE, protocolVersion: '1999-01-01' } });
    });
    await expect(connect()).rejects.toThrow('protocol version 1999-01-01');
  });

  it('with credentials that are refused says so', async () => {
    world.answerAll((_req, res: ServerResponse) => {
      res.writeHead(401).end('who are you?');
    });
    await expect(connect()).rejects.toThrow(
      "the server refused the gateway's credentials (HTTP 401); check this server's auth: who are you?",
    );
  });

  it('ends with its signal where the server takes the connection and never answers, at every step', async () => {
    world.onNotification = () => undefined;
    const signal = AbortSignal.timeout(200);
    await expect(connect({}, signal)).rejects.toThrow();
    world.answerAll(() => undefined);
    await expect(connect({}, AbortSignal.timeout(200))).rejects.toThrow();
  });

  it('bears a server that answers notifications with a body, or with a stream', async () => {
    world.onNotification = ({ res }) => res.writeHead(202, { 'content-type': 'application/json' }).end();
    expect(await ask(await connect())).toEqual({ echoed: 'tools/call' });
    world.onNotification = ({ res }) =>
      res.writeHead(200, { 'content-type': 'text/event-stream' }).end(': nothing\n\n');
    expect(await ask(await connect())).toEqual({ echoed: 'tools/call' });
  });

  it('at an address where nobody listens says that', async () => {
    world.close();
    await expect(connect()).rejects.toThrow(/cannot be reached \(connect ECONNREFUSED/);
    expect(lost).toEqual([]);
  });
});

describe('an answer', () => {
  it('P24 P25 comes as JSON or as a stream, the same', async () => {
    const connection = await connect();
    const result = {
      content: [{ type: 'text', text: 'für "alle"\n' }],
      structuredContent: { n: 1 },
      extra: null,
    };
    world.onRequest = ({ message, res }) => json(res, { id: message['id'], result });
    expect(await ask(connection)).toEqual(result);
    world.onRequest = ({ message, res }) => {
      const events = stream(res);
      events.send({ id: message['id'], result });
      events.end();
    };
    expect(await ask(connection)).toEqual(result);
  });

  it('is told after the progress and requests that come in its stream, in one chunk', async () => {
    const connection = await connect();
    world.onRequest = ({ message, res }) => {
      const { progressToken } = (message['params'] as { _meta: JsonObject })._meta;
      const event = (body: JsonObject): string => `data: ${JSON.stringify({ jsonrpc: '2.0', ...body })}\n\n`;
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(
        event({ method: 'notifications/progress', params: { progressToken, progress: 1 } }) +
          event({ id: 77, method: 'ping' }) +
          event({ method: 'notifications/progress', params: { progressToken, progress: 2 } }) +
          event({ id: message['id'], result: {} }),
      );
    };
    const seen: number[] = [];
    await connection.request(
      'tools/call',
      {},
      {
        signal: AbortSignal.timeout(5_000),
        onProgress: ({ progress }) => seen.push(progress),
      },
    );
    expect(seen).toEqual([1, 2]);
    await expect.poll(methods).toContain('answer');
  });

  it('that is an error is passed on as it is', async () => {
    const connection = await connect();
    world.onRequest = ({ message, res }) =>
      json(res, { id: message['id'], error: { code: -32000, message: 'no', data: { a: 1 } } });
    await expect(ask(connection)).rejects.toEqual(new JsonRpcError(-32000, 'no', { a: 1 }));
  });

  it.each<[string, (exchange: Exchange) => void, RegExp]>([
    ['in a stream that ends without it', ({ res }) => stream(res).end(), /without an answer/],
    [
      'in a stream that breaks',
      ({ res }) => {
        stream(res).send({ method: 'notifications/message' });
        setTimeout(() => res.destroy(), 50);
      },
      /the stream broke/,
    ],
    ['under another id', ({ res }) => json(res, { id: 4711, result: {} }), /without an answer/],
    [
      'that is not JSON',
      ({ res }) => res.writeHead(200, { 'content-type': 'application/json' }).end('<html>'),
      /without an answer/,
    ],
    [
      'of another type',
      ({ res }) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      /answered with text\/html/,
    ],
    ['of no type', ({ res }) => res.writeHead(202).end(), /no content type/],
    [
      'that sends elsewhere',
      ({ res }) => res.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      /HTTP 307/,
    ],
    ['of 500', ({ res }) => res.writeHead(500).end('stack trace'), /HTTP 500: stack trace/],
    ['of 500 with much to say', ({ res }) => res.writeHead(500).end('x'.repeat(100_000)), /HTTP 500$/],
    ['of 403', ({ res }) => res.writeHead(403).end(), /credentials \(HTTP 403\)/],
    ['that is no answer but a broken connection', ({ res }) => res.destroy(), /cannot be reached/],
  ])('%s fails the call at once, with words', async (_what, respond, words) => {
    const connection = await connect();
    world.onRequest = respond;
    const answer = ask(connection);
    await expect(answer).rejects.toThrow(words);
    await expect(answer).rejects.toBeInstanceOf(UnavailableError);
    world.onRequest = ({ message, res }) => json(res, { id: message['id'], result: { fine: true } });
    expect(await ask(connection)).toEqual({ fine: true });
    expect(lost).toEqual([]);
  });

  it('in a stream that stays open after it does not keep its connection', async () => {
    const connection = await connect();
    let closed = 0;
    world.onRequest = ({ message, res }) => {
      res.on('close', () => closed++);
      stream(res).send({ id: message['id'], result: { n: 1 } });
    };
    for (let calls = 0; calls < 3; calls++) expect(await ask(connection)).toEqual({ n: 1 });
    await expect.poll(() => closed, { timeout: 5_000 }).toBe(3);
  });

  it('beyond 128 MB is refused, as JSON and as an event', async () => {
    const connection = await connect();
    const flood = (res: ServerResponse): void => {
      const chunk = 'x'.repeat(1024 * 1024);
      const more = (): void => {
        while (!res.destroyed && res.write(chunk));
        if (!res.destroyed) res.once('drain', more);
      };
      more();
    };
    world.onRequest = ({ res }) => {
      res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":"');
      flood(res);
    };
    await expect(ask(connection)).rejects.toThrow('over 134217728 bytes');
    world.onRequest = ({ res }) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: ');
      flood(res);
    };
    await expect(ask(connection)).rejects.toThrow('an event is over 134217728 bytes');
  });
});

describe('a session that the server has forgotten', () => {
  it('is opened anew, the call sent again exactly once, and what the server offers listed again', async () => {
    const connection = await connect();
    await ask(connection);
    world.sessions.clear();
    world.seen.length = 0;
    expect(await ask(connection)).toEqual({ echoed: 'tools/call' });
    expect(world.seen.map(({ method, session }) => `${method} ${session}`)).toEqual([
      'tools/call session-1',
      'initialize undefined',
      'notifications/initialized session-2',
      'tools/call session-2',
    ]);
    expect(renewed).toBe(1);
    expect(lost).toEqual([]);
  });

  it('is opened once for all calls that noticed', async () => {
    const connection = await connect();
    world.sessions.clear();
    world.seen.length = 0;
    await Promise.all(Array.from({ length: 20 }, () => ask(connection)));
    expect(methods().filter((method) => method === 'initialize')).toHaveLength(1);
    expect(methods().filter((method) => method === 'tools/call')).toHaveLength(40);
  });

  it('again and again fails the call instead of trying for ever', async () => {
    const connection = await connect();
    world.onRequest = ({ res }) => res.writeHead(404).end();
    world.seen.length = 0;
    await expect(ask(connection)).rejects.toThrow('forgotten the session');
    expect(methods().filter((method) => method === 'tools/call')).toHaveLength(2);
  });
});

describe('cancelling', () => {
  it('ends the exchange and tells the server, in the session', async () => {
    const connection = await connect();
    let ended = false;
    world.onRequest = ({ res }) => res.on('close', () => (ended = true));
    const abort = new AbortController();
    const answer = ask(connection, 'tools/call', abort.signal);
    await expect.poll(methods).toContain('tools/call');
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(answer).rejects.toBe(reason);
    await expect.poll(methods).toContain('notifications/cancelled');
    await expect.poll(() => ended).toBe(true);
    expect(world.seen.at(-1)?.session).toBe('session-1');
    expect(lost).toEqual([]);
  });
});

describe('the server’s own stream', () => {
  it('P22 is heard where there is one', async () => {
    world.onGet = (_req, res) => stream(res).send({ method: 'notifications/tools/list_changed' });
    await connect();
    await expect.poll(() => notified).toEqual(['notifications/tools/list_changed']);
  });
});

describe('a server that is not there any more', () => {
  it('is lost, once, with the reason', async () => {
    const connection = await connect();
    world.close();
    await expect(ask(connection)).rejects.toThrow('cannot be reached');
    await expect(ask(connection)).rejects.toThrow('cannot be reached');
    expect(lost).toHaveLength(1);
    expect(lost[0]).toContain('ECONNREFUSED');
  });
});

describe('closing', () => {
  it('ends the session at the server, fails what is pending, and is no loss', async () => {
    const connection = await connect();
    world.onRequest = () => undefined;
    const pending = expect(ask(connection)).rejects.toThrow('the connection is closed');
    await expect.poll(methods).toContain('tools/call');
    await connection.close();
    await pending;
    expect(world.seen.at(-1)).toMatchObject({ method: 'DELETE', session: 'session-1' });
    await expect(ask(connection)).rejects.toThrow('the connection is closed');
    expect(lost).toEqual([]);
  });

  it('does not wait for a server that does not answer', async () => {
    const connection = await connect();
    world.answerAll(() => undefined);
    const began = performance.now();
    await connection.close();
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
