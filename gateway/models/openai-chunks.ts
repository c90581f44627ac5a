import { randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { ModelEvent } from './model.ts';

interface OpenCall {
  readonly index: number;
  /** The index and the id the provider gave, where it gave them. */
  readonly theirIndex: number | undefined;
  readonly theirId: string | undefined;
  started: boolean;
  /** Arguments that came before the name. */
  held: string;
}

/** Turns the chunks of one chat completion into model events. */
export interface ChunkReader {
  /** The events of one parsed `chat.completion.chunk`; an unexpected shape yields none. */
  read(chunk: JsonObject): ModelEvent[];
  /** True once the model gave its `finish_reason`. */
  readonly finished: boolean;
  /** The usage, if there was any, and the finish: to be asked for once, when the stream is complete. */
  end(): ModelEvent[];
}

/**
 * Reads the OpenAI wire as it is spoken in practice: only choice 0 counts; a call may lack its id or index, or
 * share index 0 with its siblings (then a new id with a name begins a new call); usage may come in any chunk,
 * the last one wins. Our own indexes count from 0 in order of appearance.
 */
export function createChunkReader(): ChunkReader {
  const calls: OpenCall[] = [];
  let finishReason: string | undefined;
  let usage: ModelEvent | undefined;

  function readCall(piece: JsonObject): ModelEvent[] {
    const details = isJsonObject(piece['function']) ? piece['function'] : {};
    const name = nonEmpty(details['name']);
    const call = find(piece, name) ?? open(piece);
    call.held += argumentText(details['arguments']);
    const events: ModelEvent[] = [];
    if (!call.started && name !== undefined) {
      call.started = true;
      events.push({ type: 'tool-call', index: call.index, id: call.theirId ?? newCallId(), name });
    }
    if (call.started && call.held !== '') {
      events.push({ type: 'tool-arguments', index: call.index, delta: call.held });
      call.held = '';
    }
    return events;
  }

  function find(piece: JsonObject, name: string | undefined): OpenCall | undefined {
    const id = nonEmpty(piece['id']);
    const index = piece['index'];
    const byId = id === undefined ? undefined : calls.findLast((call) => call.theirId === id);
    if (byId) return byId;
    const sibling =
      typeof index === 'number' ? calls.findLast((call) => call.theirIndex === index) : calls.at(-1);
    const begins =
      name !== undefined && sibling?.started === true && (id !== undefined || index === undefined);
    return begins ? undefined : sibling;
  }

  function open(piece: JsonObject): OpenCall {
    const call: OpenCall = {
      index: calls.length,
      theirIndex: typeof piece['index'] === 'number' ? piece['index'] : undefined,
      theirId: nonEmpty(piece['id']),
      started: false,
      held: '',
    };
    calls.push(call);
    return call;
  }

  return {
    read(chunk) {
      usage = readUsage(chunk['usage']) ?? usage;
      const choice: unknown = Array.isArray(chunk['choices']) ? chunk['choices'][0] : undefined;
      if (!isJsonObject(choice)) return [];
      const delta = isJsonObject(choice['delta']) ? choice['delta'] : {};
      const events: ModelEvent[] = [];
      for (const value of [delta['content'], delta['refusal']]) {
        const text = contentText(value);
        if (text !== '') events.push({ type: 'text', text });
      }
      if (Array.isArray(delta['tool_calls'])) {
        for (const piece of delta['tool_calls']) if (isJsonObject(piece)) events.push(...readCall(piece));
      }
      finishReason = nonEmpty(choice['finish_reason']) ?? finishReason;
      return events;
    },
    get finished() {
      return finishReason !== undefined;
    },
    end() {
      const reason = finishReason ?? (calls.some((call) => call.started) ? 'tool_calls' : 'stop');
      return [...(usage ? [usage] : []), { type: 'finish', reason }];
    },
  };
}

function readUsage(usage: unknown): ModelEvent | undefined {
  if (!isJsonObject(usage)) return undefined;
  const { prompt_tokens: input, completion_tokens: output } = usage;
  if (!isAmount(input) || !isAmount(output)) return undefined;
  return { type: 'usage', inputTokens: Math.round(input), outputTokens: Math.round(output) };
}

/** What counts against budgets is no number that a provider makes up. */
function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => (isJsonObject(part) && typeof part['text'] === 'string' ? part['text'] : ''))
    .join('');
}

function argumentText(value: unknown): string {
  if (typeof value === 'string') return value;
  return isJsonObject(value) ? JSON.stringify(value) : '';
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function newCallId(): string {
  return `call_${randomBytes(12).toString('hex')}`;
}
