import type { ChatMessage } from '../contract/agent.ts';
import type { JsonObject } from '../contract/json.ts';

/** A function the model may call. */
export interface ToolSpec {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ModelRequest {
  /** The model's name at its provider, without the provider's prefix. */
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSpec[];
  /** OpenAI sampling parameters, passed on as they are. */
  readonly parameters: JsonObject;
  readonly signal: AbortSignal;
}

/** What a model says, in the order in which it says it. */
export type ModelEvent =
  | { readonly type: 'text'; readonly text: string }
  /** A call begins; its arguments follow in pieces under the same `index`. */
  | { readonly type: 'tool-call'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool-arguments'; readonly index: number; readonly delta: string }
  | { readonly type: 'usage'; readonly inputTokens: number; readonly outputTokens: number }
  /** The model is done: OpenAI's `finish_reason`. A stream that ends without it died. */
  | { readonly type: 'finish'; readonly reason: string };

export interface ModelInfo {
  readonly id: string;
  readonly description?: string;
}

/** One provider of models. */
export interface ModelProvider {
  readonly name: string;
  /** The models it offers, without prefix. Rejects with a `ModelError` when it cannot be asked. */
  list(signal: AbortSignal): Promise<ModelInfo[]>;
  /** Throws a `ModelError` when the provider refuses, breaks or stays silent for too long. */
  stream(request: ModelRequest): AsyncIterable<ModelEvent>;
}

export type ModelErrorReason =
  | 'unknown-model'
  | 'bad-request'
  | 'unauthorized'
  /** By the provider, or by a limit of the gateway's, which `rule` names then. */
  | 'rate-limited'
  /** What may be spent is spent. */
  | 'budget-exhausted'
  /** By a guardrail. */
  | 'blocked'
  | 'unavailable'
  | 'timeout'
  /** The connection ended before the model was done. */
  | 'stream-broken'
  | 'cancelled';

/** A provider's failure: what happened and what to do, free of secrets. */
export class ModelError extends Error {
  readonly reason: ModelErrorReason;
  /** The HTTP status of the provider, when it answered one. */
  readonly status: number | undefined;
  /** Seconds the provider asked to wait. */
  readonly retryAfter: number | undefined;
  /** The rule of the gateway's that refused. */
  readonly rule: string | undefined;

  constructor(
    reason: ModelErrorReason,
    message: string,
    details: { status?: number; retryAfter?: number; rule?: string } = {},
  ) {
    super(message);
    this.name = 'ModelError';
    this.reason = reason;
    this.status = details.status;
    this.retryAfter = details.retryAfter;
    this.rule = details.rule;
  }
}
