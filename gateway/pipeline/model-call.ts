import type { ChatMessage } from '../contract/agent.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { ModelEvent, ToolSpec } from '../models/model.ts';
import type { ResolvedModel } from '../models/models.ts';
import type { CallSource, Note } from './call.ts';

/** One call of a model, on its way through the model's side of the pipeline. */
export interface ModelCall {
  readonly traceId: string;
  readonly runId?: string | undefined;
  readonly source: CallSource;
  readonly principal: Principal;
  readonly model: ResolvedModel;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSpec[];
  /** OpenAI sampling parameters. */
  readonly parameters: JsonObject;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
  /** Told of what policies note on the way, as it happens. */
  readonly onNote?: ((note: Note) => void) | undefined;
  readonly facts: ModelFacts;
}

export interface ModelFacts {
  /** As the provider reported them; null while it has not. */
  inputTokens: number | null;
  outputTokens: number | null;
  /** From the call to the first sign of life, in milliseconds. */
  timeToFirstTokenMs: number | null;
  /** US dollars; null when there is no price. */
  cost: number | null;
  readonly notes: Note[];
}

export function newModelFacts(): ModelFacts {
  return { inputTokens: null, outputTokens: null, timeToFirstTokenMs: null, cost: null, notes: [] };
}

/** A stage wraps the rest. It throws a `ModelError` to refuse, before or in the middle of what the model says. */
export type ModelStage = (call: ModelCall, next: ModelNext) => AsyncIterable<ModelEvent>;
export type ModelNext = (call: ModelCall) => AsyncIterable<ModelEvent>;

/** The one way to ask a model. */
export interface ModelPipeline {
  stream(call: ModelCall): AsyncIterable<ModelEvent>;
}

/** Puts the stages together, the first outermost; inside of all is the model's provider. */
export function createModelPipeline(stages: readonly ModelStage[]): ModelPipeline {
  const ask: ModelNext = ({ model, messages, tools, parameters, signal }) =>
    model.provider.stream({ model: model.model, messages, tools, parameters, signal });
  return {
    stream: stages.reduceRight<ModelNext>((next, stage) => (call) => stage(call, next), ask),
  };
}
