import { createParser, type EventSourceMessage } from 'eventsource-parser';
import {
  agentChunkSchema,
  type AgentChunk,
  type AgentRequestBody,
  type LlmError,
} from '../../gateway/contract/agent.ts';

/** One SSE event of a run, parsed: a chunk, an error, or `[DONE]`. */
export interface RunEvent {
  readonly id: number | undefined;
  readonly name: string | undefined;
  readonly data: string;
  readonly chunk: AgentChunk | undefined;
  readonly error: LlmError['error'] | undefined;
}

export interface RunStream {
  readonly response: Response;
  /** Empty when the request was refused. */
  readonly events: AsyncIterable<RunEvent>;
}

export interface ClientRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** A client of the agent's HTTP surface; every chunk it reads is checked against the contract. */
export interface AgentClient {
  post(body: AgentRequestBody | object, signal?: AbortSignal): Promise<RunStream>;
  /** Posts, and reads the stream to its end. */
  all(body: AgentRequestBody): Promise<RunEvent[]>;
  fetch(path: string, init?: ClientRequest): Promise<Response>;
  follow(runId: string, lastEventId?: number | string): Promise<RunStream>;
}

export function createAgentClient(address: string, token: string): AgentClient {
  const send = (path: string, init: ClientRequest = {}): Promise<Response> =>
    fetch(address + path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
    });
  const client: AgentClient = {
    fetch: send,
    async post(body, signal) {
      const init = { method: 'POST', body: JSON.stringify(body), ...(signal ? { signal } : {}) };
      const response = await send('/api/llm/agent/responses', init);
      return { response, events: readEvents(response) };
    },
    async all(body) {
      const { response, events } = await client.post({ stream: true, ...body });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return collect(events);
    },
    async follow(runId, lastEventId) {
      const headers = lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) };
      const response = await send(`/api/llm/agent/runs/${runId}/events`, { headers });
      return { response, events: readEvents(response) };
    },
  };
  return client;
}

export async function collect(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** What a plain client makes of the stream: the text, the calls put together by index, the results. */
export function gather(events: readonly RunEvent[]): {
  text: string;
  calls: { id: string; name: string; arguments: string }[];
  results: { id: string; content: string; isError: boolean }[];
} {
  const found: ReturnType<typeof gather> = { text: '', calls: [], results: [] };
  for (const { chunk } of events) {
    const delta = chunk?.choices[0]?.delta;
    if (!delta) continue;
    if (delta.role === 'tool') {
      const facts = chunk.toolgate?.type === 'tool.result' ? chunk.toolgate : undefined;
      found.results.push({
        id: delta.tool_call_id ?? '',
        content: delta.content ?? '',
        isError: facts?.isError === true,
      });
      continue;
    }
    found.text += delta.content ?? '';
    for (const piece of delta.tool_calls ?? []) {
      const call = (found.calls[piece.index] ??= { id: piece.id ?? '', name: '', arguments: '' });
      call.name += piece.function.name ?? '';
      call.arguments += piece.function.arguments ?? '';
    }
  }
  return found;
}

/** The payload of the named event of this type. */
export function eventOf<T extends NonNullable<AgentChunk['toolgate']>['type']>(
  events: readonly RunEvent[],
  type: T,
): Extract<NonNullable<AgentChunk['toolgate']>, { type: T }> {
  const found = events.find((event) => event.chunk?.toolgate?.type === type)?.chunk?.toolgate;
  if (found?.type !== type) throw new Error(`there is no ${type} among ${events.length} events`);
  return found as Extract<NonNullable<AgentChunk['toolgate']>, { type: T }>;
}

async function* readEvents(response: Response): AsyncGenerator<RunEvent> {
  if (!response.headers.get('content-type')?.includes('text/event-stream') || !response.body) return;
  const pending: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => pending.push(event) });
  const decoder = new TextDecoder();
  for await (const bytes of response.body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* pending.splice(0).map(toRunEvent);
  }
}

function toRunEvent({ id, event, data }: EventSourceMessage): RunEvent {
  const parsed: unknown = data === '[DONE]' ? undefined : JSON.parse(data);
  const error = (parsed as LlmError | undefined)?.error;
  const chunk = parsed === undefined || error ? undefined : agentChunkSchema.parse(parsed);
  return { id: id === undefined ? undefined : Number(id), name: event, data, chunk, error };
}
