import type {
  AgentChunk,
  AgentCompletion,
  AgentDelta,
  AgentEvent,
  ToolResultFacts,
  Usage,
} from '../contract/agent.ts';
import type { EventLog } from './event-log.ts';
import type { AgentError } from './errors.ts';

/** A finished tool call of a run. */
export type FinishedCall = AgentCompletion['toolgate']['toolCalls'][number];

/** Writes what happens in a run to its event log, in the shapes of the contract. */
export interface Transcript {
  /** A named event with empty `choices`. */
  event(event: AgentEvent): void;
  delta(delta: AgentDelta): void;
  /** A tool's result, and the facts about it. */
  result(id: string, content: string, facts: ToolResultFacts): void;
  /** The last chunk with a choice, then the usage. */
  finish(reason: string, usage: Usage | undefined): void;
  error(error: AgentError): void;
  /** `[DONE]`: only for a run that came to its own end. */
  done(): void;
}

export function createTranscript(
  log: EventLog,
  head: { id: string; created: number; model: string },
): Transcript {
  const chunk = (more: Pick<AgentChunk, 'choices'> & Partial<AgentChunk>): string =>
    JSON.stringify({
      id: head.id,
      object: 'chat.completion.chunk',
      created: head.created,
      model: head.model,
      ...more,
    } satisfies AgentChunk);
  const choice = (delta: AgentDelta, finishReason: string | null): AgentChunk['choices'] => [
    { index: 0, delta, finish_reason: finishReason },
  ];

  return {
    event: (event) => {
      log.append(event.type, chunk({ choices: [], toolgate: event }));
    },
    delta: (delta) => {
      log.append(undefined, chunk({ choices: choice(delta, null) }));
    },
    result: (id, content, facts) => {
      const delta: AgentDelta = { role: 'tool', tool_call_id: id, content };
      log.append(
        undefined,
        chunk({ choices: choice(delta, null), toolgate: { type: 'tool.result', ...facts } }),
      );
    },
    finish: (reason, usage) => {
      log.append(undefined, chunk({ choices: choice({}, reason) }));
      if (usage) log.append(undefined, chunk({ choices: [], usage }));
    },
    error: (error) => {
      log.append(undefined, JSON.stringify(error.body()));
    },
    done: () => {
      log.append(undefined, '[DONE]');
    },
  };
}
