import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../extension/gatewayClient.ts';
import { GatewayClient, GatewayRequestError } from '../../../extension/gatewayClient.ts';

describe('GatewayClient', () => {
  let server: http.Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function serve(handler: http.RequestListener): Promise<GatewayClient> {
    server = http.createServer(handler).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    return new GatewayClient(`http://127.0.0.1:${port}`, 'the-token');
  }

  async function collect(client: GatewayClient, signal: AbortSignal): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    const options = { method: 'POST', path: '/run', body: {}, signal, idleTimeoutMs: 300 } as const;
    for await (const event of client.stream(options)) events.push(event);
    return events;
  }

  it('sends the token and the body, and reads JSON', async () => {
    const client = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () =>
        response.end(JSON.stringify([request.headers.authorization, JSON.parse(body)])),
      );
    });
    expect(await client.json('POST', '/x', { a: 1 })).toEqual(['Bearer the-token', { a: 1 }]);
  });

  it("rejects a refusal with the gateway's own words, in either shape", async () => {
    const client = await serve(({ url }, response) => {
      response.statusCode = 404;
      const problem = { type: 'about:blank', title: 'Not found', status: 404, detail: 'no such server' };
      const error = { message: 'no such model', type: 'invalid', code: null, param: null };
      response.end(JSON.stringify(url === '/problem' ? problem : { error }));
    });
    await expect(client.json('GET', '/problem')).rejects.toThrow('no such server');
    await expect(client.json('GET', '/llm')).rejects.toThrow(new GatewayRequestError(404, 'no such model'));
  });

  it('reads events cut anywhere, named and unnamed', async () => {
    const client = await serve((_request, response) => {
      const text = Buffer.from('event: run.created\ndata: {"ü":1}\n\ndata: [DONE]\n\n');
      void (async () => {
        for (let at = 0; at < text.length; at++) {
          response.write(text.subarray(at, at + 1));
          await sleep(1);
        }
        response.end();
      })();
    });
    expect(await collect(client, AbortSignal.timeout(5_000))).toEqual([
      { event: 'run.created', data: '{"ü":1}' },
      { event: 'message', data: '[DONE]' },
    ]);
  });

  it('gives a stream up that is silent for too long, or no longer wanted', async () => {
    const client = await serve((_request, response) => response.write(': here\n\n'));
    await expect(collect(client, AbortSignal.timeout(5_000))).rejects.toThrow('sent nothing for 0.3 s');
    await expect(collect(client, AbortSignal.timeout(100))).rejects.toThrow();
  });

  it('fails when the connection breaks in the middle of a stream', async () => {
    const client = await serve((_request, response) => {
      response.write('data: 1\n\n', () => response.destroy());
    });
    await expect(collect(client, AbortSignal.timeout(5_000))).rejects.toThrow();
  });
});
