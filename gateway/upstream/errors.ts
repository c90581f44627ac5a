import type { JsonObject } from '../contract/json.ts';

/** A JSON-RPC error that an upstream server answered, kept as it is. */
export class JsonRpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'JsonRpcError';
    this.code = code;
    this.data = data;
  }
}

/** The server cannot be reached, or went away before it answered. The message says why, for a person. */
export class UnavailableError extends Error {
  /** The request has certainly not reached the server. */
  readonly unsent: boolean;

  constructor(message: string, options: ErrorOptions & { readonly unsent?: boolean } = {}) {
    super(message, options);
    this.name = 'UnavailableError';
    this.unsent = options.unsent === true;
  }
}

/** The server asks each person for credentials, and the caller has not given theirs. */
export class CredentialsMissingError extends UnavailableError {}

/** Somebody has to sign in at the server's authorization server before it can be used. */
export class ConsentNeededError extends CredentialsMissingError {
  /** `group:server`. */
  readonly serverId: string;

  constructor(serverId: string, message: string) {
    super(message);
    this.serverId = serverId;
  }
}

/** The server answered a request with an HTTP status that refuses it. */
export class HttpStatusError extends UnavailableError {
  readonly statusCode: number;
  /** The JSON-RPC error in the body, where there is one. */
  readonly rpc: JsonObject | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, statusCode: number, rpc?: JsonObject, retryAfterMs?: number) {
    super(message);
    this.name = 'HttpStatusError';
    this.statusCode = statusCode;
    this.rpc = rpc;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server no longer knows the session; the request was not processed and may be sent again. */
export class SessionLostError extends UnavailableError {
  constructor() {
    super('the server has forgotten the session', { unsent: true });
    this.name = 'SessionLostError';
  }
}

/** The words of an error for a person: its message, and those of its causes where they add something. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  const cause = inner === undefined ? '' : describeError(inner);
  return cause === '' || own.includes(cause) ? own : `${own}: ${cause}`;
}
