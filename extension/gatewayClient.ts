import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import { llmErrorSchema } from '../gateway/contract/agent.ts';
import { problemSchema, type Problem } from '../gateway/contract/problem.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const LARGEST_BODY_BYTES = 32 * 1024 * 1024;

/** The gateway refused a request; the message is the gateway's own words. */
export class GatewayRequestError extends Error {
  readonly status: number;
  /** What the control plane said beside the words. */
  readonly problem: Problem | undefined;

  constructor(status: number, message: string, problem?: Problem) {
    super(message);
    this.name = 'GatewayRequestError';
    this.status = status;
    this.problem = problem;
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface GatewayResponse {
  readonly status: number;
  /** The parsed JSON, or the text when it is not JSON. */
  readonly body: unknown;
}

export interface StreamEvent {
  /** `message` when the event has no name. */
  readonly event: string;
  readonly data: string;
}

export interface StreamOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
  /** The stream is given up when nothing arrives for so long. */
  readonly idleTimeoutMs: number;
}

/** HTTP to one gateway, with the owner's token. */
export class GatewayClient {
  readonly address: string;
  readonly #token: string;

  constructor(address: string, token: string) {
    this.address = address;
    this.#token = token;
  }

  /** Any answer of the gateway, refusals included. Rejects when it cannot be reached. */
  async request(
    method: Method,
    path: string,
    body?: unknown,
    signal: AbortSignal = AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  ): Promise<GatewayResponse> {
    const response = await this.#open(method, path, body, signal, 'application/json');
    return { status: response.statusCode ?? 0, body: await readBody(response) };
  }

  /** The body of a successful answer. Rejects with a `GatewayRequestError` otherwise. */
  async json(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const response = await this.request(method, path, body, signal);
    if (response.status < 400) return response.body;
    const problem = problemSchema.safeParse(response.body);
    throw new GatewayRequestError(response.status, refusal(response), problem.data);
  }

  /** The events of an SSE answer, until it ends, breaks or `signal` fires. Refusals are `GatewayRequestError`s. */
  async *stream(options: StreamOptions): AsyncGenerator<StreamEvent> {
    const { method, path, body, signal } = options;
    const response = await this.#open(method, path, body, signal, 'text/event-stream');
    const status = response.statusCode ?? 0;
    if (status >= 400) {
      throw new GatewayRequestError(status, refusal({ status, body: await readBody(response) }));
    }
    response.setTimeout(options.idleTimeoutMs, () => {
      response.destroy(new Error(`The gateway sent nothing for ${options.idleTimeoutMs / 1000} s.`));
    });
    yield* readEvents(response);
  }

  #open(
    method: Method,
    path: string,
    body: unknown,
    signal: AbortSignal,
    accept: string,
  ): Promise<IncomingMessage> {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: http.OutgoingHttpHeaders = { accept, authorization: `Bearer ${this.#token}` };
    if (content !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = content.byteLength;
    }
    return new Promise((resolve, reject) => {
      const request = http.request(new URL(path, this.address), { method, headers, signal }, resolve);
      request.once('error', reject);
      request.end(content);
    });
  }
}

async function* readEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  const events: StreamEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => events.push({ event: event ?? 'message', data }),
  });
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* events.splice(0);
  }
}

async function readBody(response: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.byteLength;
    if (size > LARGEST_BODY_BYTES) throw new Error(`The answer is larger than ${LARGEST_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The words of a refusal, in the shape of either surface. */
function refusal({ status, body }: GatewayResponse): string {
  const problem = problemSchema.safeParse(body);
  if (problem.success) return problem.data.detail;
  const llmError = llmErrorSchema.safeParse(body);
  if (llmError.success) return llmError.data.error.message;
  return `HTTP ${status}`;
}
