import type { AgentChunk, AgentEvent, OfferedTool, RunStatus, Usage } from '../gateway/contract/agent.ts';
import type { StreamItem } from './stream.ts';

/** What the page shows of a conversation with the agent. Every change makes new objects, from the root down. */
export interface Conversation {
  readonly turns: readonly Turn[];
}

/** One message of the user and the run that answers it. */
export interface Turn {
  readonly id: number;
  readonly prompt: string;
  readonly model: string;
  /** Milliseconds since the epoch, by this page's clock. */
  readonly sentAt: number;
  readonly run: Run;
}

export interface Run {
  readonly status: RunStatus;
  /** The user asked to stop; the run is not over yet. */
  readonly stopping: boolean;
  readonly runId?: string;
  readonly traceId?: string;
  readonly iterationLimit?: number;
  /** The iteration that is under way, from 1; 0 before the first. */
  readonly iteration: number;
  readonly offered: readonly OfferedTool[];
  readonly omitted: readonly { readonly server: string; readonly tool: string; readonly reason: string }[];
  /** What happened, in its true order. */
  readonly items: readonly Item[];
  readonly usage?: Usage;
  readonly toolCalls?: number;
  readonly durationMs?: number;
  readonly timeToFirstTokenMs?: number;
  /** Why the run failed, in words. */
  readonly error?: string;
}

export type Item = IterationMark | AssistantText | ToolCallItem | SignInItem | ApprovalItem | NoticeItem;

/** A call waits for a person to sign in at its server. */
export interface SignInItem {
  readonly kind: 'sign-in';
  readonly iteration: number;
  readonly id: string;
  /** `tenant:group:server`. */
  readonly server: string;
  readonly url: string;
  readonly status: 'waiting' | 'given' | 'lapsed';
}

/** A call waits for somebody's word. */
export interface ApprovalItem {
  readonly kind: 'approval';
  readonly iteration: number;
  readonly id: string;
  /** `tenant:group:server`. */
  readonly server: string;
  readonly tool: string;
  readonly approvers: readonly string[];
  readonly status: 'waiting' | 'approved' | 'denied' | 'expired' | 'cancelled';
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/** A policy noted something. */
export interface NoticeItem {
  readonly kind: 'notice';
  readonly iteration: number;
  readonly effect: 'audited' | 'changed' | 'failed';
  readonly text: string;
}

export interface IterationMark {
  readonly kind: 'iteration';
  readonly iteration: number;
}

export interface AssistantText {
  readonly kind: 'text';
  readonly iteration: number;
  readonly text: string;
}

/** `waiting`: for approval; `unanswered`: the run ended before the tool's result came. */
export type ToolCallStatus = 'arguments' | 'running' | 'waiting' | 'ok' | 'error' | 'unanswered';

export interface ToolCallItem {
  readonly kind: 'tool';
  readonly iteration: number;
  /** The call's place in its iteration, as the stream counts. */
  readonly index: number;
  readonly callId: string;
  /** The function's name as the model knows it. */
  readonly function: string;
  /** The server's fqn and the tool's own name, once known. */
  readonly server?: string;
  readonly tool?: string;
  /** JSON, perhaps still incomplete. */
  readonly arguments: string;
  readonly status: ToolCallStatus;
  /** When the arguments were complete, by this page's clock. */
  readonly runningSince?: number;
  readonly result?: string;
  readonly durationMs?: number;
}

export type Action =
  | {
      readonly type: 'sent';
      readonly turn: number;
      readonly prompt: string;
      readonly model: string;
      at: number;
    }
  | { readonly type: 'received'; readonly turn: number; readonly item: StreamItem; at: number }
  | { readonly type: 'stopping'; readonly turn: number }
  /** The stream is over; `error` when it broke or was refused. */
  | { readonly type: 'closed'; readonly turn: number; readonly error?: string; at: number };

export const EMPTY_CONVERSATION: Conversation = { turns: [] };

/** The conversation after `action`. An action for a turn that is not there, or is over, changes nothing. */
export function reduce(conversation: Conversation, action: Action): Conversation {
  if (action.type === 'sent') {
    const turn: Turn = {
      id: action.turn,
      prompt: action.prompt,
      model: action.model,
      sentAt: action.at,
      run: { status: 'running', stopping: false, iteration: 0, offered: [], omitted: [], items: [] },
    };
    return { turns: [...conversation.turns, turn] };
  }
  return {
    turns: conversation.turns.map((turn) => {
      if (turn.id !== action.turn) return turn;
      const run = nextRun(turn, action);
      return run === turn.run ? turn : { ...turn, run };
    }),
  };
}

/** The turn that is running, if one is. */
export function runningTurn(conversation: Conversation): Turn | undefined {
  const last = conversation.turns.at(-1);
  return last?.run.status === 'running' ? last : undefined;
}

function nextRun(turn: Turn, action: Exclude<Action, { type: 'sent' }>): Run {
  const { run } = turn;
  switch (action.type) {
    case 'stopping':
      return run.status === 'running' ? { ...run, stopping: true } : run;
    case 'closed':
      return close(turn, action.error, action.at);
    case 'received':
      return receive(turn, action.item, action.at);
  }
}

function receive(turn: Turn, item: StreamItem, at: number): Run {
  const { run } = turn;
  switch (item.type) {
    case 'chunk':
      return addChunk(run, item.chunk, at);
    case 'error':
      // The run's own last event may have said it already, and more exactly.
      return finish({ ...run, error: run.error ?? item.message }, 'failed', at - turn.sentAt);
    case 'done':
      return run.status === 'running' ? finish(run, 'completed', at - turn.sentAt) : run;
    case 'skipped':
      return run;
  }
}

function close(turn: Turn, error: string | undefined, at: number): Run {
  const { run } = turn;
  if (run.status !== 'running') return run;
  if (run.stopping) return finish(run, 'cancelled', at - turn.sentAt);
  const reason =
    error ??
    'The connection to the gateway ended before the run was over. Send the message again; if it happens again, read the gateway’s log.';
  return finish({ ...run, error: reason }, 'failed', at - turn.sentAt);
}

/** Ends a run; what it said of itself wins over what this page measured. */
function finish(run: Run, status: Exclude<RunStatus, 'running'>, elapsedMs: number): Run {
  const items = run.items.map((item) =>
    item.kind === 'tool' && isOpen(item)
      ? { ...item, status: 'unanswered' as const }
      : item.kind === 'sign-in' && item.status === 'waiting'
        ? { ...item, status: 'lapsed' as const }
        : item.kind === 'approval' && item.status === 'waiting'
          ? { ...item, status: 'cancelled' as const }
          : item,
  );
  return { ...run, status, stopping: false, items, durationMs: run.durationMs ?? elapsedMs };
}

function isOpen({ status }: ToolCallItem): boolean {
  return status === 'arguments' || status === 'running' || status === 'waiting';
}

/** A call that runs is held up, or one that was goes on. */
function holdUp(run: Run, callId: string | undefined, held: boolean): Run {
  const [from, to] = held ? (['running', 'waiting'] as const) : (['waiting', 'running'] as const);
  const items = run.items.map((item) =>
    item.kind === 'tool' && item.callId === callId && item.status === from ? { ...item, status: to } : item,
  );
  return { ...run, items };
}

function addChunk(before: Run, chunk: AgentChunk, at: number): Run {
  let run = before;
  if (chunk.usage) run = { ...run, usage: chunk.usage };
  const facts = chunk.toolgate;
  if (facts !== undefined && facts.type !== 'tool.result') run = addEvent(run, facts);
  for (const { delta, finish_reason: finishReason } of chunk.choices) {
    if (delta.role === 'tool') {
      run = addResult(run, delta.tool_call_id ?? '', delta.content ?? '', facts, at);
      continue;
    }
    if (delta.content) run = addText(run, delta.content);
    for (const call of delta.tool_calls ?? []) run = addCall(run, call, at);
    if (finishReason !== null) run = argumentsComplete(run, at);
  }
  return run;
}

function addEvent(run: Run, event: Exclude<AgentEvent, { type: 'tool.result' }>): Run {
  switch (event.type) {
    case 'run.created':
      return {
        ...run,
        runId: event.runId,
        traceId: event.traceId,
        iterationLimit: event.iterationLimit,
        offered: event.tools,
        omitted: event.omitted,
      };
    case 'guardrail.triggered': {
      const { effect, message: text } = event;
      return { ...run, items: [...run.items, { kind: 'notice', iteration: run.iteration, effect, text }] };
    }
    case 'tool.approval_required': {
      const { id, server, tool, approvers } = event;
      const held = holdUp(run, event.toolCallId, true);
      // Told again after a restart of the gateway.
      if (run.items.some((item) => item.kind === 'approval' && item.id === id)) return held;
      const item: ApprovalItem = {
        ...{ kind: 'approval', iteration: run.iteration, status: 'waiting' },
        ...{ id, server, tool, approvers },
      };
      return { ...held, items: [...held.items, item] };
    }
    case 'tool.approval_resolved': {
      const { id, verdict: status, by, reason } = event;
      const items = run.items.map((item) =>
        item.kind === 'approval' && item.id === id ? { ...item, status, by, reason } : item,
      );
      return holdUp({ ...run, items }, event.toolCallId, false);
    }
    case 'iteration.started': {
      const mark: IterationMark = { kind: 'iteration', iteration: event.iteration };
      return { ...run, iteration: event.iteration, items: [...run.items, mark] };
    }
    case 'mcp.auth_required': {
      const { id, server, url } = event;
      // Several calls may wait for one sign-in.
      if (run.items.some((item) => item.kind === 'sign-in' && item.id === id)) return run;
      return {
        ...run,
        items: [
          ...run.items,
          { kind: 'sign-in', iteration: run.iteration, id, server, url, status: 'waiting' },
        ],
      };
    }
    case 'mcp.auth_resolved': {
      const status = event.given ? 'given' : 'lapsed';
      const items = run.items.map((item) =>
        item.kind === 'sign-in' && item.id === event.id ? ({ ...item, status } as const) : item,
      );
      return { ...run, items };
    }
    case 'run.done': {
      const { iterations, toolCalls, durationMs, timeToFirstTokenMs, error } = event;
      const facts = {
        iteration: iterations,
        toolCalls,
        durationMs,
        ...(timeToFirstTokenMs !== undefined && { timeToFirstTokenMs }),
        ...(error !== undefined && { error }),
      };
      return finish({ ...run, ...facts }, event.status, durationMs);
    }
  }
}

function addText(run: Run, text: string): Run {
  const last = run.items.at(-1);
  if (last?.kind === 'text') {
    return { ...run, items: [...run.items.slice(0, -1), { ...last, text: last.text + text }] };
  }
  return { ...run, items: [...run.items, { kind: 'text', iteration: run.iteration, text }] };
}

type CallDelta = NonNullable<AgentChunk['choices'][number]['delta']['tool_calls']>[number];

/** A piece of a call: the first names it, later ones carry arguments under the same index. */
function addCall(run: Run, delta: CallDelta, at: number): Run {
  const place = run.items.findLastIndex(
    (item) =>
      item.kind === 'tool' &&
      item.iteration === run.iteration &&
      (delta.id === undefined ? item.index === delta.index : item.callId === delta.id),
  );
  const existing = run.items[place];
  const piece = delta.function.arguments ?? '';
  if (existing?.kind === 'tool') {
    const call = { ...existing, arguments: existing.arguments + piece };
    return { ...run, items: run.items.with(place, settleArguments(call, piece, at)) };
  }
  const name = delta.function.name ?? '';
  const offered = run.offered.find((tool) => tool.function === name);
  const call: ToolCallItem = {
    kind: 'tool',
    iteration: run.iteration,
    index: delta.index,
    callId: delta.id ?? `${String(run.iteration)}.${String(delta.index)}`,
    function: name,
    ...(offered && { server: offered.server, tool: offered.tool }),
    arguments: piece,
    status: 'arguments',
  };
  return { ...run, items: [...run.items, settleArguments(call, piece, at)] };
}

/** A call whose arguments read as JSON lacks nothing: the gateway can run it. */
function settleArguments(call: ToolCallItem, piece: string, at: number): ToolCallItem {
  if (call.status !== 'arguments' || !piece.trimEnd().endsWith('}')) return call;
  try {
    JSON.parse(call.arguments);
  } catch {
    return call;
  }
  return { ...call, status: 'running', runningSince: at };
}

/** The model has finished its message, so that no call of it waits for arguments any more. */
function argumentsComplete(run: Run, at: number): Run {
  const items = run.items.map((item) =>
    item.kind === 'tool' && item.status === 'arguments'
      ? { ...item, status: 'running' as const, runningSince: at }
      : item,
  );
  return { ...run, items };
}

function addResult(
  before: Run,
  callId: string,
  content: string,
  facts: AgentEvent | undefined,
  at: number,
): Run {
  const run = argumentsComplete(before, at);
  const result = facts?.type === 'tool.result' ? facts : undefined;
  const place = run.items.findLastIndex((item) => item.kind === 'tool' && item.callId === callId);
  const call = run.items[place];
  if (call?.kind !== 'tool') return run;
  const answered: ToolCallItem = {
    ...call,
    status: result?.isError === true ? 'error' : 'ok',
    result: content,
    ...(result && { server: result.server, tool: result.tool, durationMs: result.durationMs }),
  };
  return { ...run, items: run.items.with(place, answered) };
}
