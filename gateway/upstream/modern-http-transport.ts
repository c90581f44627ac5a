import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { MODERN_VERSION } from './connection.ts';
import { UnavailableError } from './errors.ts';
import { parseMessage } from './message.ts';
import { discard } from './http-exchange.ts';
import { isEventStream, readEvents, refusal, refusalText, type HttpWire } from './http-wire.ts';
import { standardHeaders } from './mirrored-headers.ts';
import type { Transport } from './peer.ts';

/**
 * Streamable HTTP of the modern era (MCP 2026-07-28, Transports): each message is an exchange of its own, there is
 * no session, a stream is not resumed, and ending an exchange cancels its request.
 */
export class ModernHttpTransport implements Transport {
  readonly cancelsByEnding = true;
  /** Takes each message; `streamOf` is the id of the request on whose stream it came. */
  onMessage: (message: unknown, streamOf?: number) => void = () => undefined;
  /** Headers of a call's arguments, where its tool marks any. */
  argumentHeaders: (params: JsonObject) => Record<string, string> | undefined = () => undefined;
  private readonly wire: HttpWire;

  constructor(wire: HttpWire) {
    this.wire = wire;
  }

  async send(message: JsonObject, signal: AbortSignal): Promise<boolean> {
    const { id } = message;
    const method = String(message['method']);
    const params = isJsonObject(message['params']) ? message['params'] : {};
    const headers: Record<string, string> = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': MODERN_VERSION,
      ...standardHeaders(method, params),
      ...(method === 'tools/call' ? this.argumentHeaders(params) : undefined),
    };
    const response = await this.wire.exchange('POST', headers, JSON.stringify(message), signal);
    const { statusCode } = response;
    if (statusCode >= 300) {
      const text = await refusalText(response);
      const answer = statusCode === 401 || statusCode === 403 ? undefined : parseMessage(text);
      if (!isJsonObject(answer) || !isJsonObject(answer['error']) || answer['id'] !== id)
        throw refusal(statusCode, text, response.headers);
      this.onMessage(answer);
    } else if (typeof id !== 'number') discard(response);
    else if ('text' in response) this.onMessage(parseMessage(response.text), id);
    else if (isEventStream(response.headers)) {
      await readEvents(response.body, { onMessage: (event) => this.onMessage(event, id) }, id);
    } else {
      discard(response);
      const type = response.headers['content-type'] ?? 'no content type';
      throw new UnavailableError(`the server answered with ${type}`);
    }
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
