import type { LlmError } from '../contract/agent.ts';
import { ModelError, type ModelErrorReason } from '../models/model.ts';

interface AgentErrorDetails {
  readonly status: number;
  /** OpenAI's `code`: what a program may branch on. */
  readonly code: string;
  /** The field of the request that is wrong. */
  readonly param?: string | undefined;
  readonly retryAfter?: number | undefined;
}

/** A refused or failed run, as an HTTP answer and as OpenAI's error object. */
export class AgentError extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | undefined;
  /** Seconds to wait before trying again. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: AgentErrorDetails) {
    super(message);
    this.name = 'AgentError';
    this.status = details.status;
    this.code = details.code;
    this.param = details.param;
    this.retryAfter = details.retryAfter;
  }

  body(): LlmError {
    return {
      error: { message: this.message, type: typeOf(this.status), code: this.code, param: this.param ?? null },
    };
  }
}

const FAILURES: Record<ModelErrorReason, { readonly status: number; readonly code: string }> = {
  'unknown-model': { status: 404, code: 'model_not_found' },
  'bad-request': { status: 400, code: 'provider_bad_request' },
  // Not 401: it is the gateway's key that was refused, not the caller's token.
  unauthorized: { status: 502, code: 'provider_unauthorized' },
  'rate-limited': { status: 429, code: 'provider_rate_limited' },
  'budget-exhausted': { status: 429, code: 'budget_exhausted' },
  blocked: { status: 400, code: 'content_blocked' },
  unavailable: { status: 502, code: 'provider_unavailable' },
  timeout: { status: 504, code: 'provider_timeout' },
  'stream-broken': { status: 502, code: 'provider_stream_broken' },
  cancelled: { status: 409, code: 'cancelled' },
};

/** Where the gateway itself refused, not the provider. */
const OWN_CODES: Partial<Record<ModelErrorReason, string>> = { 'rate-limited': 'rate_limited' };

/** The run's error for a model's failure. Anything but a `ModelError` is a fault of the gateway's own. */
export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (!(error instanceof ModelError)) {
    return new AgentError('The gateway failed to run the agent; its log says why.', {
      status: 500,
      code: 'internal_error',
    });
  }
  return new AgentError(error.message, {
    ...FAILURES[error.reason],
    ...(error.rule !== undefined &&
      OWN_CODES[error.reason] !== undefined && { code: OWN_CODES[error.reason] }),
    retryAfter: error.retryAfter,
    param: error.reason === 'unknown-model' ? 'model' : undefined,
  });
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}
