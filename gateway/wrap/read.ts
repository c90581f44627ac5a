import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseJson, type JsonObject } from '../contract/json.ts';
import { BodyError, readBody } from '../http/body.ts';
import { sendJsonText } from '../http/respond.ts';
import { CODES, errorText, readMessage } from '../mcp/jsonrpc.ts';

/** Reads one JSON-RPC message, whole and as it is; otherwise answers and resolves with undefined. */
export async function readRpc(
  req: IncomingMessage,
  res: ServerResponse,
  limit: number,
): Promise<JsonObject | undefined> {
  const refuse = (status: number, message: string): void =>
    sendJsonText(res, status, errorText(null, { code: CODES.invalidRequest, message }));
  try {
    const message = parseJson((await readBody(req, limit)).toString('utf8'));
    if (readMessage(message) !== undefined) return message as JsonObject;
    refuse(400, 'the body is not one JSON-RPC 2.0 message; batches are not supported');
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    refuse(error.status, error.message);
  }
  return undefined;
}
