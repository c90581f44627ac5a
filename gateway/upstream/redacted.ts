import type { JsonObject } from '../contract/json.ts';
import type { Connection, ConnectionEvents } from './connection.ts';
import { HttpStatusError, JsonRpcError } from './errors.ts';

export type Redact = (text: string) => string;

/** The same events, with no known secret in what a server prints or what its end is explained by. */
export function redactEvents(events: ConnectionEvents, redact: Redact): ConnectionEvents {
  return {
    ...events,
    onStderr: (line) => events.onStderr(redact(line)),
    onLost: (reason) => events.onLost(redact(reason)),
    onWarning: (words) => events.onWarning(redact(words)),
  };
}

/** The same connection, whose errors hold no known secret. Results are the server's own, and pass as they are. */
export function redactErrors(connection: Connection, redact: Redact): Connection {
  const rethrow = (error: unknown): never => {
    throw redacted(error, redact);
  };
  return {
    era: connection.era,
    handshake: connection.handshake,
    request: (method, params, options) => connection.request(method, params, options).catch(rethrow),
    notify: (method, params) => connection.notify(method, params).catch(rethrow),
    close: () => connection.close(),
  };
}

/** The error with no known secret in its words, its causes' or its stack. */
export function redacted(error: unknown, redact: Redact): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? redact(error) : error;
  if (error instanceof JsonRpcError)
    return new JsonRpcError(error.code, redact(error.message), within(error.data, redact));
  if (error instanceof HttpStatusError)
    return new HttpStatusError(
      redact(error.message),
      error.statusCode,
      within(error.rpc, redact) as JsonObject | undefined,
      error.retryAfterMs,
    );
  error.message = redact(error.message);
  if (error.stack !== undefined) error.stack = redact(error.stack);
  if (error.cause !== undefined) error.cause = redacted(error.cause, redact);
  if (error instanceof AggregateError) error.errors = error.errors.map((one) => redacted(one, redact));
  return error;
}

/** The value itself where it holds no secret. */
function within(value: unknown, redact: Redact): unknown {
  if (value === undefined) return value;
  const text = JSON.stringify(value);
  const clean = redact(text);
  return clean === text ? value : JSON.parse(clean);
}
