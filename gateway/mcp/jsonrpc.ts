import { isJsonObject, type JsonObject } from '../contract/json.ts';

export type RequestId = string | number;

/** A request or notification of a client; `id` is absent on a notification. */
export interface Incoming {
  readonly id?: RequestId;
  readonly method: string;
  readonly params: JsonObject;
}

/** A client's answer to a request of the server. */
export interface Reply {
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** The codes of JSON-RPC 2.0 and of MCP (2025-11-25) that the gateway itself answers. */
export const CODES = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  /** Of the implementation's own range: the call was refused or failed on the way, `data.reason` says why. */
  refused: -32000,
  resourceNotFound: -32002,
} as const;

/** An error to be answered to the client. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** Reads a message; undefined when it is neither a request nor a notification nor an answer. */
export function readMessage(body: unknown): Incoming | Reply | undefined {
  if (!isJsonObject(body) || body['jsonrpc'] !== '2.0') return undefined;
  const { id, method, params, result, error } = body;
  if (method === undefined && id !== undefined && (result !== undefined || error !== undefined))
    return { id, result, error };
  if (typeof method !== 'string' || (params !== undefined && !isJsonObject(params))) return undefined;
  if (id === undefined) return { method, params: params ?? {} };
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  return { id, method, params: params ?? {} };
}

/** An answer whose result is already text. */
export function resultText(id: RequestId, result: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
}

export function errorText(id: RequestId | null, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}
