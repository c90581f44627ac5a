import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { createOutlet } from '../http/event-stream.ts';
import { sendJsonText, sendProblem } from '../http/respond.ts';
import { negotiate } from '../mcp/handshake.ts';
import { CODES, errorText, readMessage, resultText, type Incoming, type RequestId } from '../mcp/jsonrpc.ts';
import { createStreams, type Stream } from '../mcp/streams.ts';
import type { Connection, ConnectionEvents } from '../upstream/connection.ts';
import { describeError, JsonRpcError } from '../upstream/errors.ts';
import { readRpc } from './read.ts';
import type { ModernRoutes } from './modern-routes.ts';
import type { WrapOptions } from './parts.ts';

/**
 * Streamable HTTP without sessions: every request stands alone, and one process serves all. What a server would
 * ask of a client or announce to it has nobody to go to: it is told that the client offers none of it.
 */
export interface StatelessRoutes {
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  inFlight(): number;
  close(): Promise<void>;
}

export function createStatelessRoutes(
  options: WrapOptions,
  modern: ModernRoutes,
  connect: (events: Pick<ConnectionEvents, 'onLost'>, signal: AbortSignal) => Promise<Connection>,
): StatelessRoutes {
  let current: Promise<Connection> | undefined;
  let inFlight = 0;
  /** Started by the first request, and again by the next one after it is lost. */
  const connected = (): Promise<Connection> => {
    const attempt: Promise<Connection> =
      current ?? connect({ onLost: () => forget(attempt) }, AbortSignal.timeout(options.connectMs));
    attempt.catch(() => forget(attempt));
    return (current = attempt);
  };
  const forget = (attempt: Promise<Connection>): void => {
    if (current === attempt) current = undefined;
  };
  const answer = async (id: RequestId, { method, params }: Incoming, stream: Stream): Promise<string> => {
    if (method === 'ping') return resultText(id, '{}');
    try {
      const connection = await connected();
      if (method === 'initialize') return resultText(id, JSON.stringify(greeting(connection, params)));
      const meta = isJsonObject(params['_meta']) ? params['_meta'] : {};
      const { progressToken } = meta;
      const result = await connection.request(method, params, {
        signal: AbortSignal.timeout(options.requestMs),
        ...(progressToken !== undefined && {
          onProgress: (progress) => {
            const said = { progressToken, ...progress };
            stream.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: said }));
          },
        }),
      });
      return resultText(id, JSON.stringify(result));
    } catch (error) {
      if (!(error instanceof JsonRpcError))
        return errorText(id, { code: CODES.refused, message: describeError(error) });
      const { code, message, data } = error;
      return errorText(id, { code, message, ...(data !== undefined && { data }) });
    }
  };
  return {
    handle: async (req, res) => {
      if (req.method !== 'POST') {
        sendProblem(res, 405, 'there are no sessions here: only POST', {}, { allow: 'POST' });
        return;
      }
      const body = await readRpc(req, res, options.bodyLimit);
      if (body !== undefined && modern.takes(req, body)) return modern.post(req, res, body);
      const message = readMessage(body);
      if (message === undefined) return;
      if (!('method' in message) || message.id === undefined) {
        res.writeHead(202).end();
        return;
      }
      const streams = createStreams({ used: 0 }, false);
      const stream = streams.answer(createOutlet(res, streams.gone));
      inFlight++;
      const text = await answer(message.id, message, stream).finally(() => inFlight--);
      if (res.headersSent) {
        stream.finish(text);
        return;
      }
      stream.drop();
      sendJsonText(res, 200, text);
    },
    inFlight: () => inFlight,
    close: async () => {
      const connection = await current?.catch(() => undefined);
      await connection?.close();
    },
  };
}

function greeting({ handshake }: Connection, params: JsonObject): JsonObject {
  const { serverInfo, capabilities, instructions } = handshake;
  return {
    protocolVersion: negotiate(params['protocolVersion']),
    capabilities,
    serverInfo,
    ...(instructions !== undefined && { instructions }),
  };
}
