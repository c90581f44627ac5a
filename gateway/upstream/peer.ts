import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Envelope, Progress } from '../pipeline/call.ts';
import { JsonRpcError, UnavailableError } from './errors.ts';
import type { ServerMessages } from './server-messages.ts';

export interface RequestOptions {
  /** Aborting sends `notifications/cancelled` and rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Takes what the server sends on this request's own stream, where the transport can tell. */
  readonly related?: ServerMessages | undefined;
  /** A modern connection puts it into the request's `_meta`; a legacy one ignores it. */
  readonly envelope?: Envelope | undefined;
}

/** Carries messages to one server. */
export interface Transport {
  /**
   * Rejects when the message did not arrive or was refused. Resolves with true when its exchange is over, so that
   * what it asked and was not answered by then never will be.
   */
  send(message: JsonObject, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
  /** True where the end of a request's exchange tells the server that it is cancelled. */
  readonly cancelsByEnding?: boolean;
}

/** How long a message that has no answer may take to be taken. */
const UNANSWERED_MS = 10_000;

interface Pending {
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: RequestOptions['onProgress'];
  readonly related: ServerMessages | undefined;
  /** It is a subscription: the server itself may end it with a notification. */
  readonly listens: boolean;
}

/** How many requests of a server may wait for an answer at once. */
const MAX_ASKED = 64;
const NO_ANSWER = 'the server ended its response without an answer';
const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;

/**
 * The client's side of JSON-RPC 2.0 towards one MCP server: ids, answers, progress, cancellation both ways. It
 * sits directly on the transport's messages, so that a progress notification that arrives together with its
 * result is delivered first.
 */
export class Peer {
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private closed: Error | undefined;
  /** What the server asked and was not answered yet. */
  private readonly asked = new Map<unknown, AbortController>();
  private readonly transport: Transport;
  private readonly messages: ServerMessages;

  constructor(transport: Transport, messages: ServerMessages) {
    this.transport = transport;
    this.messages = messages;
  }

  /** Rejects with `JsonRpcError`, `UnavailableError` or the signal's reason. */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    const { signal, onProgress, related } = options;
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(this.closed);
      if (signal.aborted) return reject(asError(signal.reason));
      const id = this.nextId++;
      const onAbort = (): void => {
        this.settle(id)?.reject(signal.reason);
        if (this.transport.cancelsByEnding === true) return;
        void this.notify('notifications/cancelled', { requestId: id }).catch(() => undefined);
      };
      const done = (): void => signal.removeEventListener('abort', onAbort);
      signal.addEventListener('abort', onAbort, { once: true });
      this.pending.set(id, {
        resolve: (result) => {
          done();
          resolve(result);
        },
        reject: (error) => {
          done();
          reject(asError(error));
        },
        onProgress,
        related,
        listens: method === 'subscriptions/listen',
      });
      const sent = onProgress ? withProgressToken(params, id) : params;
      this.transport
        .send({ jsonrpc: '2.0', id, method, params: sent }, signal)
        .then((over) => {
          if (over && this.pending.has(id)) this.settle(id)?.reject(new UnavailableError(NO_ANSWER));
        })
        .catch((error: unknown) => this.settle(id)?.reject(error));
    });
  }

  /** Resolves when the server has taken the notification; waits for that a few seconds at most by default. */
  async notify(
    method: string,
    params?: JsonObject,
    signal: AbortSignal = AbortSignal.timeout(UNANSWERED_MS),
  ): Promise<void> {
    await this.transport.send({ jsonrpc: '2.0', method, ...(params && { params }) }, signal);
  }

  /**
   * Takes one message of the server, and the id of the request on whose stream it came, where the transport can
   * tell. What is not JSON-RPC, or answers nothing that was asked, is ignored.
   */
  receive(message: unknown, streamOf?: number): void {
    if (!isJsonObject(message)) return;
    const { id, method } = message;
    if (typeof method === 'string') {
      const params = isJsonObject(message['params']) ? message['params'] : {};
      const request = streamOf ?? subscriptionOf(params);
      const taker = (request === undefined ? undefined : this.pending.get(request)?.related) ?? this.messages;
      if (id === undefined) this.notified(method, params, taker);
      else this.answer(id, method, params, taker);
      return;
    }
    const pending = typeof id === 'number' ? this.settle(id) : undefined;
    if (pending === undefined) return;
    const { error, result } = message;
    if (isJsonObject(error)) {
      pending.reject(new JsonRpcError(Number(error['code']), String(error['message']), error['data']));
    } else if (isJsonObject(result)) pending.resolve(result);
    else pending.reject(new UnavailableError('the server answered with neither a result nor an error'));
  }

  /** Fails what is pending and all that follows. */
  end(error: Error): void {
    this.closed ??= error;
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(error);
    for (const cancel of this.asked.values()) cancel.abort(error);
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  private notified(method: string, params: JsonObject, taker: ServerMessages): void {
    if (method === 'notifications/cancelled') {
      const { requestId } = params;
      this.asked.get(requestId)?.abort(new Error('the server took the request back'));
      if (typeof requestId === 'number' && this.pending.get(requestId)?.listens === true)
        this.settle(requestId)?.reject(new UnavailableError('the server ended the subscription'));
      return;
    }
    if (method !== 'notifications/progress') return taker.onNotification(method, params);
    const { progressToken, progress, total, message } = params;
    if (typeof progressToken !== 'number' || typeof progress !== 'number') return;
    this.pending.get(progressToken)?.onProgress?.({
      progress,
      ...(typeof total === 'number' && { total }),
      ...(typeof message === 'string' && { message }),
    });
  }

  private answer(id: unknown, method: string, params: JsonObject, { onRequest }: ServerMessages): void {
    const reply = (body: JsonObject): void => {
      const taken = AbortSignal.timeout(UNANSWERED_MS);
      this.transport.send({ jsonrpc: '2.0', id, ...body }, taken).catch(() => undefined);
    };
    if (method === 'ping') return reply({ result: {} });
    if (onRequest === undefined) {
      return reply({ error: { code: METHOD_NOT_FOUND, message: `method not found: ${method}` } });
    }
    if (this.asked.size >= MAX_ASKED || this.asked.has(id)) {
      return reply({
        error: { code: INTERNAL_ERROR, message: `over ${MAX_ASKED} requests wait for answers` },
      });
    }
    const cancel = new AbortController();
    this.asked.set(id, cancel);
    void onRequest(method, params, cancel.signal)
      .then((result) => ({ result }), asRpcError)
      .then((body) => {
        this.asked.delete(id);
        if (!cancel.signal.aborted) reply(body);
      });
  }
}

/** The id of the subscription that a notification came of (MCP 2026-07-28, Subscriptions). */
function subscriptionOf(params: JsonObject): number | undefined {
  const meta = params['_meta'];
  const id = isJsonObject(meta) ? meta['io.modelcontextprotocol/subscriptionId'] : undefined;
  return typeof id === 'number' ? id : undefined;
}

function asRpcError(error: unknown): JsonObject {
  if (!(error instanceof JsonRpcError)) return { error: { code: INTERNAL_ERROR, message: String(error) } };
  const { code, message, data } = error;
  return { error: { code, message, ...(data !== undefined && { data }) } };
}

function withProgressToken(params: JsonObject, progressToken: number): JsonObject {
  const meta = isJsonObject(params['_meta']) ? params['_meta'] : {};
  return { ...params, _meta: { ...meta, progressToken } };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
