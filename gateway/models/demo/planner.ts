import { setImmediate } from 'node:timers/promises';
import type { ChatMessage } from '../../contract/agent.ts';
import {
  ModelError,
  type ModelEvent,
  type ModelProvider,
  type ModelRequest,
  type ToolSpec,
} from '../model.ts';
import { findGoals } from './goals.ts';
import { advance, type PlannedCall, type Progress } from './progress.ts';
import { ownName } from './toolbox.ts';

const SELF = 'Demo planner (scripted rules, not an AI)';
const DESCRIPTION =
  'A demo that needs no key: scripted rules, not an AI. It plans real tool calls for arithmetic, listing a folder, reading a file, echo, remembering, and tools called by name.';
const ABILITIES =
  'I can calculate ("(2 + 3) * 4"), list a folder ("list the folder X"), read a file ("read the file X"), echo ("echo hello"), remember ("remember that Ada likes tea", "what do you remember") and call a tool by name (\'call NAME with {"key": "value"}\').';
const MAX_NAMED_TOOLS = 20;
const CHARS_PER_TOKEN = 4;

/**
 * The demo provider: one model, `planner`, deterministic and offline. It is made of rules and says so in every
 * answer; the calls it plans are real ones of the tools it is offered. It keeps no state: what is done is read
 * from the tool messages after the last user message, under call ids that name the goal and the step. Its usage
 * is an estimate, four characters a token, since it has no tokenizer.
 */
export function createPlanner(name: string): ModelProvider {
  return {
    name,
    list: () => Promise.resolve([{ id: 'planner', description: DESCRIPTION }]),
    async *stream(request) {
      const { text, calls } = plan(request);
      let written = 0;
      for (const event of eventsOf(text, calls)) {
        await setImmediate();
        if (request.signal.aborted) throw new ModelError('cancelled', 'The model call was cancelled.');
        written +=
          event.type === 'text'
            ? event.text.length
            : event.type === 'tool-arguments'
              ? event.delta.length
              : 0;
        yield event;
      }
      const read = JSON.stringify(request.messages).length + JSON.stringify(request.tools).length;
      yield { type: 'usage', inputTokens: tokens(read), outputTokens: tokens(written) };
      yield { type: 'finish', reason: calls.length > 0 ? 'tool_calls' : 'stop' };
    },
  };
}

interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

function plan({ messages, tools }: ModelRequest): { text: string; calls: Call[] } {
  const last = messages.findLastIndex((message) => message.role === 'user');
  const turn = messages.filter((message) => message.role === 'user').length;
  const results = new Map(
    messages
      .slice(last + 1)
      .flatMap((message) => (message.role === 'tool' ? [[message.tool_call_id, textOf(message)]] : [])),
  );
  const progress: Progress[] = [];
  const calls: Call[] = [];
  findGoals(textOf(messages[last]), tools).forEach((goal, index) => {
    const idOf = (step: string): string => `call_${turn}_${index + 1}_${step}`;
    const next = advance(goal, tools, (step) => results.get(idOf(step)), progress);
    progress.push(next);
    if (next.state === 'calls') calls.push(...next.calls.map((call) => toCall(call, idOf(call.step))));
  });
  if (calls.length > 0) return { text: `${SELF}: calling ${calls.map(describe).join(', ')}.`, calls };
  return { text: `${SELF}: ${answer(progress, tools)}`, calls };
}

function toCall(call: PlannedCall, id: string): Call {
  return { id, name: call.tool.name, arguments: JSON.stringify(call.arguments) };
}

function describe(call: Call): string {
  return `${ownName(call)} ${call.arguments}`;
}

function answer(progress: readonly Progress[], tools: readonly ToolSpec[]): string {
  if (progress.length === 0) return `no rule of mine fits that. ${ABILITIES}\n\n${describeTools(tools)}`;
  const parts = progress.map((one) => {
    if (one.state === 'missing') return `That needs a tool, ${one.need}, and none was offered.`;
    return one.state === 'done' || one.state === 'failed' ? one.text : 'A step is left over.';
  });
  if (progress.some((one) => one.state === 'missing')) parts.push(describeTools(tools));
  return parts.join('\n\n');
}

function describeTools(tools: readonly ToolSpec[]): string {
  if (tools.length === 0) return 'I was offered no tools: choose some servers for this request.';
  const more = tools.length > MAX_NAMED_TOOLS ? ` and ${tools.length - MAX_NAMED_TOOLS} more` : '';
  return `Tools I was offered: ${tools.slice(0, MAX_NAMED_TOOLS).map(ownName).join(', ')}${more}.`;
}

function* eventsOf(text: string, calls: readonly Call[]): Generator<ModelEvent> {
  for (const word of text.split(/(?<=\s)(?=\S)/)) yield { type: 'text', text: word };
  for (const [index, call] of calls.entries()) {
    yield { type: 'tool-call', index, id: call.id, name: call.name };
    for (const delta of pieces(call.arguments)) yield { type: 'tool-arguments', index, delta };
  }
}

/** Four pieces, or one a character where there are fewer. */
function pieces(text: string): string[] {
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / 4));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}

function textOf(message: ChatMessage | undefined): string {
  const content = message?.content ?? '';
  if (typeof content === 'string') return content;
  return content.map((part) => (typeof part['text'] === 'string' ? part['text'] : '')).join('\n');
}

function tokens(characters: number): number {
  return Math.ceil(characters / CHARS_PER_TOKEN);
}
