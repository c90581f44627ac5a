import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** A step of a streamed reply, in the order in which it goes over the wire. */
export type WireStep =
  /** One SSE event with this JSON as data. */
  | { readonly data: unknown }
  /** Bytes as they are: comments, `data: [DONE]`, broken events. */
  | { readonly raw: string }
  | { readonly waitMs: number }
  | { readonly until: Promise<unknown> }
  /** Destroys the socket: death without a word. */
  | { readonly die: true };

export type WireReply =
  | {
      readonly steps: readonly WireStep[];
      /** Writes the stream in pieces of this many bytes, each a packet of its own. */
      readonly splitBytes?: number;
    }
  | {
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body: unknown;
      readonly waitMs?: number;
    };

export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: {
    readonly model?: string;
    readonly messages?: readonly {
      readonly role: string;
      readonly content?: unknown;
      readonly tool_call_id?: string;
    }[];
    readonly tools?: readonly {
      readonly function: { readonly name: string; readonly parameters: unknown };
    }[];
    readonly [key: string]: unknown;
  };
}

/** What answers: the replies given to `reply`, first in, first out; else the one that `otherwise` makes. */
export interface OpenAiWire {
  /** The base address, `…/v1`. */
  readonly baseUrl: string;
  readonly requests: WireRequest[];
  reply(...replies: WireReply[]): void;
  otherwise(answer: (request: WireRequest) => WireReply): void;
  /** Requests whose client went away before the reply was whole. */
  aborted(): number;
  close(): Promise<void>;
}

export const DONE: WireStep = { raw: 'data: [DONE]\n\n' };

/** A chunk as OpenAI sends it. */
export function chunk(delta: unknown, finishReason: string | null = null): WireStep {
  return {
    data: { ...envelope(), choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }] },
  };
}

/** The usage chunk: `choices` is empty. */
export function usage(prompt: number, completion: number): WireStep {
  const total = prompt + completion;
  return {
    data: {
      ...envelope(),
      choices: [],
      usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total },
    },
  };
}

/** A whole answer in these pieces of text. */
export function says(...pieces: string[]): WireReply {
  return {
    steps: [
      chunk({ role: 'assistant', content: '' }),
      ...pieces.map((content) => chunk({ content })),
      chunk({}, 'stop'),
      usage(10, pieces.length),
      DONE,
    ],
  };
}

export interface WireCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** A whole answer that calls tools, the arguments of all calls in pieces of `size` characters, in turns. */
export function calls(wanted: readonly WireCall[], size = 3): WireReply {
  const steps: WireStep[] = [chunk({ role: 'assistant', content: null })];
  wanted.forEach((call, index) => {
    const details = { name: call.name, arguments: '' };
    steps.push(chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: details }] }));
  });
  const longest = Math.max(...wanted.map((call) => call.arguments.length));
  for (let at = 0; at < longest; at += size) {
    wanted.forEach((call, index) => {
      const piece = call.arguments.slice(at, at + size);
      if (piece !== '') steps.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    });
  }
  return { steps: [...steps, chunk({}, 'tool_calls'), usage(20, 7), DONE] };
}

/** An error as OpenAI answers it. */
export function refuses(status: number, message: string, headers: Record<string, string> = {}): WireReply {
  return {
    status,
    headers,
    body: { error: { message, type: 'invalid_request_error', param: null, code: null } },
  };
}

/** Starts a server on loopback that speaks OpenAI's `/v1/chat/completions` and `/v1/models` as scripted. */
export async function startOpenAiWire(): Promise<OpenAiWire> {
  const requests: WireRequest[] = [];
  const queue: WireReply[] = [];
  let answer = (_request: WireRequest): WireReply => refuses(500, 'no reply is scripted');
  let aborted = 0;

  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const text = Buffer.concat(parts).toString();
      const body = (text === '' ? {} : JSON.parse(text)) as WireRequest['body'];
      const request = { method: req.method ?? '', path: req.url ?? '', headers: req.headers, body };
      requests.push(request);
      const reply = queue.shift() ?? answer(request);
      let died = false;
      res.once('close', () => {
        if (!died && !res.writableEnded) aborted += 1;
      });
      void send(res, reply, () => {
        died = true;
        res.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    reply: (...replies) => {
      queue.push(...replies);
    },
    otherwise: (next) => {
      answer = next;
    },
    aborted: () => aborted,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function send(res: ServerResponse, reply: WireReply, die: () => void): Promise<void> {
  res.socket?.setNoDelay(true);
  if ('status' in reply) {
    if (reply.waitMs !== undefined) await setTimeout(reply.waitMs);
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
    res.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end(text);
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  res.flushHeaders();
  for (const step of reply.steps) {
    if (res.destroyed) return;
    if ('waitMs' in step) await setTimeout(step.waitMs);
    else if ('until' in step) await step.until;
    else if ('die' in step) {
      await setTimeout(20);
      die();
      return;
    } else
      await write(res, 'raw' in step ? step.raw : `data: ${JSON.stringify(step.data)}\n\n`, reply.splitBytes);
  }
  if (!res.destroyed) res.end();
}

async function write(res: ServerResponse, text: string, splitBytes = Infinity): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += splitBytes) {
    res.write(bytes.subarray(at, at + splitBytes));
    if (splitBytes !== Infinity) await setImmediate();
  }
}

function envelope(): Record<string, unknown> {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'gpt-4o-2024-08-06',
    system_fingerprint: 'fp_1',
  };
}
