import { createParser } from 'eventsource-parser';
import { request, type Dispatcher } from 'undici';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { ModelError, type ModelEvent, type ModelProvider, type ModelRequest } from './model.ts';
import { createChunkReader } from './openai-chunks.ts';
import { readBounded, refusalOf, streamedError, transportError } from './openai-errors.ts';
import { createPatience } from './patience.ts';

/** How long a provider may stay silent, in milliseconds. How long a connection may take is the dispatcher's. */
export interface ModelTimeouts {
  /** From the request to the first chunk of the answer. */
  readonly firstToken: number;
  /** Between two pieces of the answer, comments included. */
  readonly idle: number;
  /** For the whole list of models. */
  readonly list: number;
}

export const MODEL_TIMEOUTS: ModelTimeouts = { firstToken: 120_000, idle: 60_000, list: 10_000 };

export interface OpenAiOptions {
  readonly name: string;
  /** For instance `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  /** The models on offer; asked of the provider when left out. */
  readonly models?: readonly string[];
  readonly dispatcher: Dispatcher;
  readonly timeouts: ModelTimeouts;
}

const MAX_EVENT_CHARS = 1024 * 1024;
const MAX_LIST_BYTES = 4 * 1024 * 1024;
/** After `[DONE]`: how long the provider has to end its answer, so that the connection can be used again. */
const LINGER_MS = 300;

/**
 * A provider that speaks OpenAI's chat completions over HTTP. An answer that ends without a `finish_reason` or
 * `[DONE]` throws `stream-broken`; it never ends as if it were whole.
 */
export function createOpenAiProvider(options: OpenAiOptions): ModelProvider {
  const { name, dispatcher, timeouts, apiKey } = options;
  const base = options.baseUrl.replace(/\/+$/, '');
  const origin = { provider: name, apiKey };
  const headers = {
    accept: 'application/json',
    'user-agent': 'toolgate',
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };

  async function* stream(asked: ModelRequest): AsyncGenerator<ModelEvent> {
    const patience = createPatience(asked.signal);
    patience.expect(
      timeouts.firstToken,
      `Provider "${name}" sent no first token within ${seconds(timeouts.firstToken)}.`,
    );
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await request(`${base}/chat/completions`, {
        dispatcher,
        method: 'POST',
        headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
        body: JSON.stringify(requestBody(asked)),
        signal: patience.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      if (response.statusCode !== 200) throw await refusalOf(response, { ...origin, model: asked.model });
      const type = String(response.headers['content-type'] ?? 'nothing');
      if (!type.includes('text/event-stream')) {
        throw new ModelError(
          'unavailable',
          `Provider "${name}" answered with ${type} instead of an event stream; check its baseUrl.`,
        );
      }
      yield* readEvents(response.body, patience);
    } catch (error) {
      throw patience.reason() ?? transportError(error, origin);
    } finally {
      patience.end();
      response?.body.on('error', () => undefined).destroy();
    }
  }

  async function* readEvents(
    body: AsyncIterable<unknown>,
    patience: ReturnType<typeof createPatience>,
  ): AsyncGenerator<ModelEvent> {
    const reader = createChunkReader();
    const inbox: string[] = [];
    const decoder = new TextDecoder();
    let done = false;
    const parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ data }) => inbox.push(data),
      onError: (error) => {
        if (error.type !== 'max-buffer-size-exceeded') return;
        throw new ModelError(
          'stream-broken',
          `Provider "${name}" sent an event of more than ${MAX_EVENT_CHARS} characters.`,
        );
      },
    });
    const silence = `Provider "${name}" went silent for ${seconds(timeouts.idle)} in the middle of its answer.`;
    let seen = false;
    try {
      for await (const bytes of body) {
        if (done) break;
        parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
        seen ||= inbox.length > 0;
        for (const data of inbox.splice(0)) {
          done ||= data === '[DONE]';
          if (!done) yield* reader.read(parseChunk(data, origin));
        }
        if (done) patience.expect(LINGER_MS, '');
        else if (seen) patience.expect(timeouts.idle, silence);
      }
    } catch (error) {
      // What goes wrong after the model was done takes nothing from its answer.
      const whole = done || (reader.finished && !(error instanceof ModelError));
      if (!whole || patience.cancelled()) throw error;
    }
    if (!done && !reader.finished) {
      throw new ModelError('stream-broken', `Provider "${name}" ended its answer before the model was done.`);
    }
    yield* reader.end();
  }

  return {
    name,
    stream,
    async list(signal) {
      if (options.models) return options.models.map((id) => ({ id }));
      const patience = createPatience(signal);
      patience.expect(
        timeouts.list,
        `Provider "${name}" did not list its models within ${seconds(timeouts.list)}.`,
      );
      try {
        const response = await request(`${base}/models`, { dispatcher, headers, signal: patience.signal });
        if (response.statusCode !== 200) throw await refusalOf(response, { ...origin, model: undefined });
        return modelIds(await readBounded(response.body, MAX_LIST_BYTES), name).map((id) => ({ id }));
      } catch (error) {
        throw patience.reason() ?? transportError(error, origin);
      } finally {
        patience.end();
      }
    },
  };
}

function requestBody(asked: ModelRequest): JsonObject {
  const { tool_choice, parallel_tool_calls, stream_options, ...sampling } = asked.parameters;
  const tools = asked.tools.map((tool) => ({ type: 'function', function: tool }));
  return {
    ...sampling,
    model: asked.model,
    messages: asked.messages,
    // Providers refuse tool options without tools.
    ...(tools.length > 0 ? { tools, tool_choice, parallel_tool_calls } : {}),
    stream: true,
    stream_options: { ...(isJsonObject(stream_options) ? stream_options : {}), include_usage: true },
  };
}

function parseChunk(data: string, origin: { provider: string; apiKey: string | undefined }): JsonObject {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw new ModelError('stream-broken', `Provider "${origin.provider}" sent an event that is not JSON.`);
  }
  if (!isJsonObject(chunk))
    throw new ModelError('stream-broken', `Provider "${origin.provider}" sent an event that is not a chunk.`);
  if (chunk['error'] !== undefined && chunk['error'] !== null) throw streamedError(chunk['error'], origin);
  return chunk;
}

function modelIds(text: string, provider: string): string[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ModelError(
      'unavailable',
      `Provider "${provider}" answered its list of models with something that is not JSON.`,
    );
  }
  const data = isJsonObject(body) ? body['data'] : undefined;
  if (!Array.isArray(data))
    throw new ModelError('unavailable', `Provider "${provider}" answered no list of models.`);
  return data.flatMap((model: unknown) =>
    isJsonObject(model) && typeof model['id'] === 'string' ? [model['id']] : [],
  );
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
