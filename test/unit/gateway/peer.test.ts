import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { JsonRpcError, UnavailableError } from '../../../gateway/upstream/errors.ts';
import { LineReader } from '../../../gateway/upstream/lines.ts';
import { Peer } from '../../../gateway/upstream/peer.ts';

/** A peer whose messages are kept, and a reader for what its server writes. */
function peerOf(send: (message: JsonObject) => Promise<boolean> = () => Promise.resolve(false)): {
  readonly peer: Peer;
  readonly sent: JsonObject[];
  readonly heard: string[];
  /** The server's bytes, as they come from a pipe. */
  write(text: string): void;
} {
  const sent: JsonObject[] = [];
  const heard: string[] = [];
  const transport = {
    send: (message: JsonObject) => {
      sent.push(message);
      return send(message);
    },
    close: () => Promise.resolve(),
  };
  const peer = new Peer(transport, { onNotification: (method) => void heard.push(method) });
  const reader = new LineReader(
    (line) => peer.receive(JSON.parse(line)),
    () => undefined,
  );
  return { peer, sent, heard, write: (text) => reader.push(Buffer.from(text)) };
}

const line = (message: object): string => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const forever = new AbortController().signal;

describe('a request', () => {
  it('P6 is answered under its own id, whatever the order of the answers', async () => {
    const { peer, sent, write } = peerOf();
    const one = peer.request('a', { x: 1 }, { signal: forever });
    const two = peer.request('b', {}, { signal: forever });
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'a', params: { x: 1 } },
      { jsonrpc: '2.0', id: 2, method: 'b', params: {} },
    ]);
    write(line({ id: 2, result: { of: 'b' } }) + line({ id: 1, result: { of: 'a', kept: null } }));
    expect(await one).toEqual({ of: 'a', kept: null });
    expect(await two).toEqual({ of: 'b' });
  });

  it('keeps a server’s error as it is', async () => {
    const { peer, write } = peerOf();
    const answer = peer.request('a', {}, { signal: forever });
    write(line({ id: 1, error: { code: -32042, message: 'no', data: { uri: 'x' } } }));
    await expect(answer).rejects.toEqual(new JsonRpcError(-32042, 'no', { uri: 'x' }));
  });

  it('that is answered with neither result nor error fails', async () => {
    const { peer, write } = peerOf();
    const answer = peer.request('a', {}, { signal: forever });
    write(line({ id: 1 }));
    await expect(answer).rejects.toThrow(UnavailableError);
  });

  it('fails when it cannot be sent', async () => {
    const { peer } = peerOf(() => Promise.reject(new UnavailableError('closed pipe')));
    await expect(peer.request('a', {}, { signal: forever })).rejects.toThrow('closed pipe');
  });

  it('is not moved by answers to nobody, twice, of another type of id, or by garbage', async () => {
    const { peer, write } = peerOf();
    const answer = peer.request('a', {}, { signal: forever });
    for (const message of [
      null,
      1,
      'text',
      [],
      {},
      { id: 99, result: {} },
      { id: '1', result: {} },
      { id: null },
    ]) {
      peer.receive(message);
    }
    write(line({ id: 1, result: { first: true } }) + line({ id: 1, result: { first: false } }));
    expect(await answer).toEqual({ first: true });
  });
});

describe('progress', () => {
  it('that arrives in one chunk with the result is told before it, the last one included', async () => {
    const { peer, sent, write } = peerOf();
    const order: string[] = [];
    const answer = peer
      .request(
        'a',
        { _meta: { kept: 1 } },
        {
          signal: forever,
          onProgress: ({ progress, total, message }) => order.push(`${progress}/${total} ${message}`),
        },
      )
      .then(() => order.push('result'));
    const { progressToken } = (sent[0]!['params'] as { _meta: JsonObject })._meta;
    expect((sent[0]!['params'] as JsonObject)['_meta']).toEqual({ kept: 1, progressToken });
    const step = (progress: number): string =>
      line({ method: 'notifications/progress', params: { progressToken, progress, total: 2, message: 'm' } });
    write(step(1) + step(2) + line({ id: 1, result: {} }));
    await answer;
    expect(order).toEqual(['1/2 m', '2/2 m', 'result']);
  });

  it('goes to its own request, and to none once that is answered or without a token', async () => {
    const { peer, heard, write } = peerOf();
    const seen: string[] = [];
    const ask = (name: string): Promise<unknown> =>
      peer.request('x', {}, { signal: forever, onProgress: () => seen.push(name) });
    const one = ask('one');
    void ask('two').catch(() => undefined);
    const step = (progressToken: unknown): string =>
      line({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    write(step(2) + line({ id: 1, result: {} }) + step(1) + step('2') + step(undefined) + step(77));
    await one;
    expect(seen).toEqual(['two']);
    expect(heard).toEqual([]);
  });

  it('is not asked for when nobody listens', () => {
    const { peer, sent } = peerOf();
    void peer.request('a', {}, { signal: forever }).catch(() => undefined);
    expect(sent[0]!['params']).toEqual({});
  });
});

describe('cancelling', () => {
  it('tells the server, rejects with the reason, and ignores the late answer', async () => {
    const { peer, sent, write } = peerOf();
    const abort = new AbortController();
    const answer = peer.request('a', {}, { signal: abort.signal });
    const reason = new Error('the caller gave up');
    abort.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(sent.at(-1)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 1 },
    });
    write(line({ id: 1, result: {} }));
    expect(sent).toHaveLength(2);
  });

  it('after the answer tells nobody anything', async () => {
    const { peer, sent, write } = peerOf();
    const abort = new AbortController();
    const answer = peer.request('a', {}, { signal: abort.signal });
    write(line({ id: 1, result: {} }));
    await answer;
    abort.abort();
    expect(sent).toHaveLength(1);
  });

  it('before the request sends nothing at all', async () => {
    const { peer, sent } = peerOf();
    const reason = new Error('too late');
    await expect(peer.request('a', {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(sent).toEqual([]);
  });
});

describe('what a server asks', () => {
  it('is answered where it is a ping, under the server’s own id', () => {
    const { sent, write } = peerOf();
    write(line({ id: 'theirs', method: 'ping' }));
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 'theirs', result: {} }]);
  });

  it.each(['sampling/createMessage', 'elicitation/create', 'roots/list', 'constructor'])(
    '%s is refused: the gateway declared no such capability',
    (method) => {
      const { sent, write } = peerOf();
      write(line({ id: 0, method, params: {} }));
      expect(sent).toEqual([
        { jsonrpc: '2.0', id: 0, error: { code: -32601, message: `method not found: ${method}` } },
      ]);
    },
  );

  it('with the id of a request of the gateway does not answer it', async () => {
    const { peer, write } = peerOf();
    const answer = peer.request('a', {}, { signal: forever });
    write(line({ id: 1, method: 'ping' }) + line({ id: 1, result: { ok: true } }));
    expect(await answer).toEqual({ ok: true });
  });

  it('as a notification is passed on', () => {
    const { heard, write } = peerOf();
    write(line({ method: 'notifications/tools/list_changed' }));
    expect(heard).toEqual(['notifications/tools/list_changed']);
  });
});

it('the end of a connection fails what is pending and all that follows, with the first reason', async () => {
  const { peer, sent } = peerOf();
  const pending = peer.request('a', {}, { signal: forever });
  peer.end(new UnavailableError('the process exited'));
  peer.end(new UnavailableError('another reason'));
  await expect(pending).rejects.toThrow('the process exited');
  await expect(peer.request('b', {}, { signal: forever })).rejects.toThrow('the process exited');
  expect(sent).toHaveLength(1);
});
