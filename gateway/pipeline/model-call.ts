import type { ChatMessage } from '../contract/agent.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import { ModelError, type ModelErrorReason, type ModelEvent, type ToolSpec } from '../models/model.ts';
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
  /** The provider was asked, and has not refused: what it worked on costs, whatever becomes of the answer. */
  asked: boolean;
  /** Characters that the provider has said, whether or not they were let through. */
  said: number;
  /** From the call to the first sign of life, in milliseconds. */
  timeToFirstTokenMs: number | null;
  /** US dollars; null when there is no price. */
  cost: number | null;
  readonly notes: Note[];
}

export function newModelFacts(): ModelFacts {
  return {
    ...{ inputTokens: null, outputTokens: null, asked: false, said: 0 },
    ...{ timeToFirstTokenMs: null, cost: null, notes: [] },
  };
}

/** A stage wraps the rest. It throws a `ModelError` to refuse, before or in the middle of what the model says. */
export type ModelStage = (call: ModelCall, next: ModelNext) => AsyncIterable<ModelEvent>;
export type ModelNext = (call: ModelCall) => AsyncIterable<ModelEvent>;

/** The one way to ask a model. */
export interface ModelPipeline {
  stream(call: ModelCall): AsyncIterable<ModelEvent>;
}

/** Puts the stages together, the first outermost; inside of all is the model's provider, which is metered there. */
export function createModelPipeline(stages: readonly ModelStage[]): ModelPipeline {
  return { stream: stages.reduceRight<ModelNext>((next, stage) => (call) => stage(call, next), ask) };
}

async function* ask(call: ModelCall): AsyncIterable<ModelEvent> {
  const { model, messages, tools, parameters, signal, facts } = call;
  facts.asked = true;
  try {
    for await (const event of model.provider.stream({
      ...{ model: model.model, messages, tools, parameters, signal },
    })) {
      meter(facts, event);
      yield event;
    }
  } catch (error) {
    if (facts.said === 0 && error instanceof ModelError && REFUSALS.has(error.reason)) facts.asked = false;
    throw error;
  }
}

/** How a provider ends a call that it has not begun to work on. */
const REFUSALS: ReadonlySet<string> = new Set<ModelErrorReason>([
  'unknown-model',
  'bad-request',
  'unauthorized',
  'rate-limited',
  'unavailable',
]);

function meter(facts: ModelFacts, event: ModelEvent): void {
  if (event.type === 'text') facts.said += event.text.length;
  else if (event.type === 'tool-call') facts.said += event.name.length;
  else if (event.type === 'tool-arguments') facts.said += event.delta.length;
  else if (event.type === 'usage') {
    facts.inputTokens = event.inputTokens;
    facts.outputTokens = event.outputTokens;
  }
}
