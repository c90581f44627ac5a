import { randomBytes } from 'node:crypto';
import type { ChatMessage, Usage } from '../contract/agent.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import { ModelError, type ToolSpec } from '../models/model.ts';
import type { ResolvedModel } from '../models/models.ts';
import type { Note } from '../pipeline/call.ts';
import { newModelFacts, type ModelPipeline } from '../pipeline/model-call.ts';
import type { Transcript } from './transcript.ts';

/** A tool call as the model made it. */
export interface WantedCall {
  /** Unique in the run, whatever the provider gave. */
  readonly id: string;
  readonly name: string;
  /** JSON as the model wrote it, which may be broken. */
  arguments: string;
}

/** What the model said in one call. */
export interface Turn {
  readonly text: string;
  readonly calls: readonly WantedCall[];
  /** Absent when the provider reported none. */
  readonly usage: Usage | undefined;
  readonly finishReason: string;
}

/** What all turns of a run share. */
export interface TurnContext {
  readonly runId: string;
  readonly traceId: string;
  readonly principal: Principal;
  readonly model: ResolvedModel;
  readonly tools: readonly ToolSpec[];
  readonly transcript: Transcript;
  readonly modelPipeline: ModelPipeline;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Told of what policies note on the way. */
  readonly onNote: (note: Note) => void;
  readonly signal: AbortSignal;
  /** Ids of the calls of the turns before. */
  readonly callIds: Set<string>;
  /** The model's first sign of life in this run. */
  readonly onOutput: () => void;
}

const MAX_TURN_CHARS = 4 * 1024 * 1024;

/**
 * Asks the model once, and passes on what it says as it says it. Tool calls are numbered through the run, so that
 * a client that gathers them by index mixes no two. Throws what the pipeline throws.
 */
export async function runTurn(
  context: TurnContext,
  messages: readonly ChatMessage[],
  parameters: JsonObject,
): Promise<Turn> {
  const { transcript, callIds } = context;
  const facts = newModelFacts();
  let spoken = false;
  const first = callIds.size;
  const calls: WantedCall[] = [];
  let text = '';
  let size = 0;
  let role: { role?: 'assistant' } = { role: 'assistant' };
  let finishReason: string | undefined;
  let usage: Usage | undefined;
  const output = (): void => {
    if (!spoken) context.onOutput();
    spoken = true;
  };
  const said = (length: number): { role?: 'assistant' } => {
    size += length;
    if (size > MAX_TURN_CHARS)
      throw new ModelError('unavailable', `The model's answer is longer than ${MAX_TURN_CHARS} characters.`);
    output();
    const given = role;
    role = {};
    return given;
  };

  const { runId, traceId, principal, model, tools, metadata, signal, onNote } = context;
  for await (const event of context.modelPipeline.stream({
    ...{ runId, traceId, principal, model, messages, tools, parameters, metadata, signal, onNote, facts },
    source: 'agent',
  })) {
    switch (event.type) {
      case 'text':
        text += event.text;
        transcript.delta({ ...said(event.text.length), content: event.text });
        break;
      case 'tool-call': {
        const call = { id: uniqueId(event.id, callIds), name: event.name, arguments: '' };
        calls[event.index] = call;
        const head = {
          index: first + event.index,
          id: call.id,
          type: 'function' as const,
          function: { name: call.name, arguments: '' },
        };
        transcript.delta({ ...said(call.name.length), tool_calls: [head] });
        break;
      }
      case 'tool-arguments': {
        const call = calls[event.index];
        if (call) call.arguments += event.delta;
        transcript.delta({
          ...said(event.delta.length),
          tool_calls: [{ index: first + event.index, function: { arguments: event.delta } }],
        });
        break;
      }
      case 'usage':
        usage = toUsage(event.inputTokens, event.outputTokens);
        break;
      case 'finish':
        finishReason = event.reason;
        output();
    }
  }
  if (finishReason === undefined)
    throw new ModelError('stream-broken', 'The model stopped before it was done.');
  return { text, calls: Object.values(calls), usage, finishReason };
}

function toUsage(input: number, output: number): Usage {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

/** Some providers count ids from the start again with every answer. */
function uniqueId(wanted: string, taken: Set<string>): string {
  const id = taken.has(wanted) ? `call_${randomBytes(12).toString('hex')}` : wanted;
  taken.add(id);
  return id;
}
