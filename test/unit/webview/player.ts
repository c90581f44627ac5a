import type { AgentChunk, AgentDelta, AgentEvent } from '../../../gateway/contract/agent.ts';
import { EMPTY_CONVERSATION, reduce } from '../../../webview/conversation.ts';
import type { Conversation, Item, Run, ToolCallItem } from '../../../webview/conversation.ts';
import type { StreamItem } from '../../../webview/stream.ts';

export const START = 1_000;

/** Plays a run from its SSE events; the clock moves 10 ms with each. */
export class Player {
  conversation: Conversation = EMPTY_CONVERSATION;
  turn = 0;
  at = START;

  send(prompt = 'Add 2 and 3'): this {
    this.turn += 1;
    this.at = START;
    this.conversation = reduce(this.conversation, {
      type: 'sent',
      turn: this.turn,
      prompt,
      model: 'demo/planner',
      at: this.at,
    });
    return this;
  }

  receive(...items: StreamItem[]): this {
    for (const item of items) {
      this.at += 10;
      this.conversation = reduce(this.conversation, { type: 'received', turn: this.turn, item, at: this.at });
    }
    return this;
  }

  close(error?: string): this {
    this.at += 10;
    const closed = { type: 'closed' as const, turn: this.turn, at: this.at };
    this.conversation = reduce(this.conversation, error === undefined ? closed : { ...closed, error });
    return this;
  }

  stop(): this {
    this.conversation = reduce(this.conversation, { type: 'stopping', turn: this.turn });
    return this;
  }

  get run(): Run {
    const turn = this.conversation.turns.at(-1);
    if (!turn) throw new Error('no turn');
    return turn.run;
  }

  get calls(): ToolCallItem[] {
    return this.run.items.filter((item) => item.kind === 'tool');
  }
}

export function chunk(fields: Partial<AgentChunk>): StreamItem {
  return {
    type: 'chunk',
    chunk: {
      id: 'run_1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'demo/planner',
      choices: [],
      ...fields,
    },
  };
}
export function delta(value: AgentDelta, finishReason: string | null = null): StreamItem {
  return chunk({ choices: [{ index: 0, delta: value, finish_reason: finishReason }] });
}
export const text = (content: string): StreamItem => delta({ content });
export function call(index: number, id: string, name: string, args = ''): StreamItem {
  return delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });
}
export function piece(index: number, args: string): StreamItem {
  return delta({ tool_calls: [{ index, function: { arguments: args } }] });
}
export function result(id: string, content: string, facts: { tool: string; isError?: boolean }): StreamItem {
  return chunk({
    choices: [{ index: 0, delta: { role: 'tool', tool_call_id: id, content }, finish_reason: null }],
    toolgate: {
      type: 'tool.result',
      server: 't:common:calculator-mcp',
      tool: facts.tool,
      isError: facts.isError ?? false,
      durationMs: 3.5,
    },
  });
}
export const event = (toolgate: AgentEvent): StreamItem => chunk({ toolgate });
export const created = event({
  type: 'run.created',
  runId: 'run_1',
  traceId: 'a'.repeat(32),
  model: 'demo/planner',
  iterationLimit: 5,
  tools: [
    { function: 'calculator-mcp__add', server: 't:common:calculator-mcp', tool: 'add' },
    { function: 'calculator-mcp__multiply', server: 't:common:calculator-mcp', tool: 'multiply' },
  ],
  omitted: [{ server: 't:common:calculator-mcp', tool: 'odd', reason: 'name too long' }],
});
export const iteration = (number: number): StreamItem =>
  event({ type: 'iteration.started', iteration: number });
export function runDone(
  status: 'completed' | 'iteration_limit' | 'cancelled' | 'failed',
  error?: string,
): StreamItem {
  return event({
    type: 'run.done',
    runId: 'run_1',
    status,
    iterations: 2,
    toolCalls: 1,
    durationMs: 120,
    timeToFirstTokenMs: 8,
    ...(error !== undefined && { error }),
  });
}
export const DONE: StreamItem = { type: 'done' };

export function kinds(items: readonly Item[]): string[] {
  return items.map((item) => item.kind);
}
