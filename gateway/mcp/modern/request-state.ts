import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';

/**
 * What a request state stands for: a call that is parked here, with the approval that let it through; the state of the
 * server itself; or a sign-in or approval by its id.
 */
export type StateContent =
  | { readonly parked: string; readonly round: number; readonly approved: string | null }
  | { readonly upstream: string }
  | { readonly consent: string }
  | { readonly approval: string };

/** The request a state was given out for; it holds for no other. */
export interface Binding {
  readonly tokenId: string;
  /** The address, as it was called. */
  readonly path: string;
  readonly method: string;
  readonly params: JsonObject;
}

/**
 * The `requestState` of `input_required` results (MCP 2026-07-28, Multi Round-Trip Requests). It passes through the
 * client, who may try anything with it: it is encrypted and authenticated (AES-256-GCM), and bound to caller,
 * address, method and parameters.
 */
export interface RequestStates {
  /** `expiresAt` is in ms since the epoch. */
  seal(content: StateContent, binding: Binding, expiresAt: number): string;
  /** Undefined when it is not one of these, was altered, has expired, or was given out for another request. */
  open(state: unknown, binding: Binding): StateContent | undefined;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `secret` is what the key is derived from: with the same one, gateways understand each other's states. */
export function createRequestStates(secret: Buffer, now: () => number): RequestStates {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'toolgate request state', 32));
  return {
    seal: (content, binding, expiresAt) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(boundTo(binding));
      const sealed = cipher.update(JSON.stringify([expiresAt, content]), 'utf8');
      return Buffer.concat([nonce, sealed, cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    open: (state, binding) => {
      if (typeof state !== 'string') return undefined;
      const bytes = Buffer.from(state, 'base64url');
      // One text stands for one state: decoding alone would skip over characters that do not belong there.
      if (bytes.toString('base64url') !== state || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(boundTo(binding)).setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        const text = Buffer.concat([opened, decipher.final()]).toString('utf8');
        const [expiresAt, content] = JSON.parse(text) as [number, StateContent];
        return now() < expiresAt ? content : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** The request without what differs between the first time and the retry. */
function boundTo({ tokenId, path, method, params }: Binding): Buffer {
  const { _meta, inputResponses: _responses, requestState: _state, ...salient } = params;
  const request = JSON.stringify([tokenId, path, method, sorted(salient)]);
  return createHash('sha256').update(request).digest();
}

/** The same value with the keys of its objects in order: a client may write them in any. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { sorted: entries.map(([key, inner]) => [key, sorted(inner)]) };
}
