import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { UnavailableError } from './errors.ts';

/** A response whose JSON body came whole, as most answers of MCP servers do. */
export interface JsonResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Any other response: its body is read, or thrown away with `discard`. */
export interface StreamResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/**
 * One HTTP exchange straight on undici's dispatcher. A successful JSON answer is gathered as it arrives, without
 * the stream objects that cost more than the rest of the call; anything else is a stream. Rejects when the
 * connection fails or the signal aborts, and with an `UnavailableError` for a JSON answer of over `limit` bytes.
 */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
  limit: number,
): Promise<JsonResponse | StreamResponse> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(aborted());
      return;
    }
    dispatcher.dispatch(options, new Exchange(resolve, reject, signal, limit));
  });
}

/** Throws a body away; its connection is free again when it has come whole. */
export function discard(response: JsonResponse | StreamResponse): void {
  if ('body' in response) response.body.on('error', () => undefined).resume();
}

class Exchange implements Dispatcher.DispatchHandler {
  private readonly resolve: (response: JsonResponse | StreamResponse) => void;
  private readonly reject: (error: Error) => void;
  private readonly signal: AbortSignal;
  private readonly limit: number;
  private controller: Dispatcher.DispatchController | undefined;
  private head: { readonly statusCode: number; readonly headers: IncomingHttpHeaders } | undefined;
  private readonly chunks: Buffer[] = [];
  private size = 0;
  private body: Readable | undefined;

  constructor(
    resolve: (response: JsonResponse | StreamResponse) => void,
    reject: (error: Error) => void,
    signal: AbortSignal,
    limit: number,
  ) {
    this.resolve = resolve;
    this.reject = reject;
    this.signal = signal;
    this.limit = limit;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    this.signal.addEventListener('abort', this.onAbort, { once: true });
    if (this.signal.aborted) this.onAbort();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    this.head = { statusCode, headers };
    if (statusCode < 300 && headers['content-type']?.startsWith('application/json') === true) return;
    this.body = new Readable({
      read: () => controller.resume(),
      destroy: (error, done) => {
        if (this.body?.readableEnded !== true) controller.abort(error ?? aborted());
        done(error);
      },
    });
    this.resolve({ statusCode, headers, body: this.body });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.body) {
      if (!this.body.push(chunk)) controller.pause();
      return;
    }
    this.size += chunk.length;
    if (this.size > this.limit)
      controller.abort(new UnavailableError(`the server's answer is over ${this.limit} bytes`));
    else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.done();
    if (this.body) this.body.push(null);
    else if (this.head) this.resolve({ ...this.head, text: Buffer.concat(this.chunks).toString('utf8') });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.done();
    if (this.body) this.body.destroy(error);
    else this.reject(error);
  }

  private readonly onAbort = (): void => this.controller?.abort(aborted());

  private done(): void {
    this.signal.removeEventListener('abort', this.onAbort);
  }
}

function aborted(): Error {
  return new Error('the exchange was given up');
}
