import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../identity/principal.ts';
import { errorText, type Incoming, type RequestId, type RpcError } from '../mcp/jsonrpc.ts';
import type { Scope } from '../mcp/scope.ts';
import { newTraceId } from '../telemetry/trace.ts';
import type { CallerWords } from './caller-words.ts';
import { sendJsonText } from './respond.ts';

/** An HTTP request at one of the MCP addresses, its caller known. */
export interface HttpExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly principal: Principal;
  readonly scope: Scope;
  readonly path: string;
}

/** The message of a POST, with the size of its body and the moment it came, by `performance.now()`. */
export interface Posted<Message = Incoming> {
  readonly message: Message;
  readonly bytes: number;
  readonly words: CallerWords;
  readonly began: number;
}

/** The most requests of one caller that may be under way. */
export const MAX_IN_FLIGHT = 256;
/** A call that takes longer than this gets an event stream. */
export const STREAM_AFTER_MS = 10_000;

/** Takes a notification. */
export function accept(res: ServerResponse): void {
  res.writeHead(202).end();
}

export function rpcError(
  res: ServerResponse,
  status: number,
  id: RequestId | null,
  code: number,
  message: string,
  data?: RpcError['data'],
): void {
  sendJsonText(res, status, errorText(id, { code, message, ...(data !== undefined && { data }) }));
}

/** The caller's W3C trace, when it sent one; else a new one. */
export function traceId(req: IncomingMessage): string {
  const { traceparent } = req.headers;
  const given =
    typeof traceparent === 'string'
      ? /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent)?.[1]
      : undefined;
  return given ?? newTraceId();
}
