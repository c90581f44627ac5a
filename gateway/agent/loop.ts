import {
  ITERATION_LIMIT,
  type AgentRequest,
  type ChatMessage,
  type RunStatus,
  type Usage,
} from '../contract/agent.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Pipeline } from '../pipeline/call.ts';
import { AgentError } from './errors.ts';
import type { Offer } from './offer.ts';
import type { Stand } from './stand.ts';
import { runCalls, type CallContext } from './tool-calls.ts';
import type { FinishedCall } from './transcript.ts';
import { runTurn, type Turn, type TurnContext } from './turn.ts';

/** What a run has come to so far; the loop writes it as it goes. */
export interface RunProgress {
  iterations: number;
  /** In the order of their results. */
  readonly toolCalls: FinishedCall[];
  /** Over all turns; undefined while no turn reported any. */
  usage: Usage | undefined;
  /** What the model said in its last turn, and why the run stopped when it did not end by itself. */
  answer: string;
}

export interface LoopEnd {
  readonly status: Extract<RunStatus, 'completed' | 'iteration_limit'>;
  readonly finishReason: string;
}

/**
 * The agent's loop: asks the model, runs the tools it asks for, tells it their results, until it asks for none or
 * has been asked `iteration_limit` times. The calls of the last turn allowed are not run. Throws what a turn
 * throws; a tool never ends the run. With `from` it goes on where a run stood: calls that have ended are not made
 * again.
 */
export async function runLoop(
  context: TurnContext & {
    readonly offer: Offer;
    readonly pipeline: Pipeline;
    readonly kept: CallContext['kept'];
    readonly onConsent?: CallContext['onConsent'];
    readonly onApproval?: CallContext['onApproval'];
    readonly onStand?: CallContext['onStand'];
    /** Whether the model may still be asked. */
    readonly permitted: () => boolean;
  },
  request: AgentRequest,
  progress: RunProgress,
  from?: Stand,
): Promise<LoopEnd> {
  const { transcript } = context;
  const messages: ChatMessage[] = [...(from?.messages ?? request.messages)];
  let state = from;
  for (;;) {
    if (!context.permitted()) throw notPermitted();
    const turn = state?.turn ?? (await askModel(context, messages, request, progress));
    if (turn.calls.length === 0) return { status: 'completed', finishReason: endReason(turn) };
    if (progress.iterations >= request.iteration_limit) {
      const notice = limitNotice(request.iteration_limit, turn);
      progress.answer += notice;
      transcript.delta({ content: notice });
      return { status: 'iteration_limit', finishReason: 'length' };
    }
    const results = new Map(state?.results);
    const stand: Stand = { messages, turn, results };
    await runCalls(context, turn.calls, stand, (call, result) => {
      if (context.signal.aborted) return;
      results.set(call.id, result);
      const { content, facts } = result;
      const { id, name, arguments: args } = call;
      progress.toolCalls.push({ id, function: name, arguments: args, content, ...facts });
      transcript.result(id, content, facts);
    });
    context.signal.throwIfAborted();
    state = undefined;
    messages.push(toMessage(turn));
    for (const { id } of turn.calls)
      messages.push({ role: 'tool', tool_call_id: id, content: results.get(id)?.content ?? '' });
  }
}

async function askModel(
  context: TurnContext,
  messages: readonly ChatMessage[],
  request: AgentRequest,
  progress: RunProgress,
): Promise<Turn> {
  progress.iterations += 1;
  context.transcript.event({ type: 'iteration.started', iteration: progress.iterations });
  const turn = await runTurn(context, messages, parametersOf(request, progress.iterations));
  progress.usage = addUsage(progress.usage, turn.usage);
  progress.answer = turn.text;
  return turn;
}

function toMessage(turn: Turn): ChatMessage {
  const calls = turn.calls.map(({ id, name, arguments: args }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: args },
  }));
  return { role: 'assistant', content: turn.text === '' ? null : turn.text, tool_calls: calls };
}

function notPermitted(): AgentError {
  const message = 'The token of this run holds no more, or may not use its model any more.';
  return new AgentError(message, { status: 401, code: 'invalid_api_key' });
}

/** What goes to the model as it came. A forced `tool_choice` holds for the first turn: after it, it would never end. */
function parametersOf(request: AgentRequest, iteration: number): JsonObject {
  const {
    model: _model,
    messages: _messages,
    stream: _stream,
    iteration_limit: _limit,
    mcp_servers: _servers,
    metadata: _metadata,
    tool_choice,
    ...rest
  } = request;
  return iteration === 1 || tool_choice === 'none' ? { ...rest, tool_choice } : rest;
}

function addUsage(sum: Usage | undefined, more: Usage | undefined): Usage | undefined {
  if (!sum || !more) return sum ?? more;
  return {
    prompt_tokens: sum.prompt_tokens + more.prompt_tokens,
    completion_tokens: sum.completion_tokens + more.completion_tokens,
    total_tokens: sum.total_tokens + more.total_tokens,
  };
}

/** A turn that calls nothing has not finished for `tool_calls`, whatever its provider says. */
function endReason(turn: Turn): string {
  return turn.finishReason === 'tool_calls' ? 'stop' : turn.finishReason;
}

function limitNotice(limit: number, turn: Turn): string {
  const wanted = turn.calls.map((call) => call.name).join(', ');
  const advice =
    limit < ITERATION_LIMIT.max
      ? `Raise iteration_limit (at most ${ITERATION_LIMIT.max}) to let it go on.`
      : `${limit} is the most there is.`;
  return `${turn.text === '' ? '' : '\n\n'}[Stopped at iteration_limit ${limit}: the model still asked for ${wanted}, which was not called. ${advice}]`;
}
