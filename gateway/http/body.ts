import type { IncomingMessage } from 'node:http';

/** A request body that cannot be used; `status` is the HTTP status to answer with. */
export class BodyError extends Error {
  readonly status: 400 | 413 | 429;

  constructor(status: BodyError['status'], message: string) {
    super(message);
    this.name = 'BodyError';
    this.status = status;
  }
}

/** Told of the bytes of a body as they are read; says, in words, why no more may be. */
export type Meter = (bytes: number) => string | undefined;

const METER = Symbol('meter');
interface Metered extends IncomingMessage {
  [METER]?: Meter;
}

/** Has what is read of a request's body counted; where the meter objects, `readBody` rejects with a `BodyError` (429). */
export function meterBody(req: Metered, meter: Meter): void {
  req[METER] = meter;
}

/**
 * Reads a body of at most `limit` bytes. Rejects with a `BodyError` (413) beyond it; what still comes is thrown
 * away, so that a client that writes before it reads gets the answer rather than a broken connection.
 */
export function readBody(req: Metered, limit: number): Promise<Buffer> {
  const tooLarge = (): BodyError => new BodyError(413, `the body is over the limit of ${limit} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      const problem = size > limit ? tooLarge() : over(req[METER]?.(chunk.length));
      if (problem === undefined) return void chunks.push(chunk);
      chunks.length = 0;
      reject(problem);
    });
    req.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.on('error', () => reject(new BodyError(400, 'the body ended too early')));
    req.on('close', () => {
      if (!req.complete) reject(new BodyError(400, 'the body ended too early'));
    });
  });
}

function over(problem: string | undefined): BodyError | undefined {
  return problem === undefined ? undefined : new BodyError(429, problem);
}

/** Reads a JSON body; rejects with a `BodyError` (413, or 400 when it is not JSON). */
export async function readJson(req: IncomingMessage, limit: number): Promise<unknown> {
  const body = await readBody(req, limit);
  return parseBody(body);
}

/** Deeper values would overflow the stack of whatever walks them, and no tool takes such. */
const MAX_DEPTH = 128;

/** A body as JSON. Throws a `BodyError` (400) when it is none, or nests deeper than 128 levels. */
export function parseBody(body: Buffer): unknown {
  if (deeperThan(body, MAX_DEPTH)) throw new BodyError(400, `the body nests deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new BodyError(400, 'the body is not JSON');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function deeperThan(body: Buffer, limit: number): boolean {
  // Most bodies are too short to be.
  if (body.length <= limit) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (quoted) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}
