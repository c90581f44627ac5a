import type { ChatMessage, ToolResultFacts } from '../contract/agent.ts';
import type { Turn } from './turn.ts';

/** A call's end as the model sees it, and the facts about it. */
export interface CallResult {
  readonly content: string;
  readonly facts: ToolResultFacts;
}

/** Where a run stands while calls of its last turn are under way. */
export interface Stand {
  /** What was said before that turn. */
  readonly messages: readonly ChatMessage[];
  readonly turn: Turn;
  /** Of the calls that have ended, by id. */
  readonly results: ReadonlyMap<string, CallResult>;
}
