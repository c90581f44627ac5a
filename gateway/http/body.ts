import type { IncomingMessage } from 'node:http';

/** A request body that cannot be used; `status` is the HTTP status to answer with. */
export class BodyError extends Error {
  readonly status: 400 | 413;

  constructor(status: 400 | 413, message: string) {
    super(message);
    this.name = 'BodyError';
    this.status = status;
  }
}

/**
 * Reads a body of at most `limit` bytes. Rejects with a `BodyError` (413) beyond it; what still comes is thrown
 * away, so that a client that writes before it reads gets the answer rather than a broken connection.
 */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = (): BodyError => new BodyError(413, `the body is over the limit of ${limit} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        chunks.length = 0;
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    req.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.on('error', () => reject(new BodyError(400, 'the body ended too early')));
    req.on('close', () => {
      if (!req.complete) reject(new BodyError(400, 'the body ended too early'));
    });
  });
}

/** Reads a JSON body; rejects with a `BodyError` (413, or 400 when it is not JSON). */
export async function readJson(req: IncomingMessage, limit: number): Promise<unknown> {
  const body = await readBody(req, limit);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new BodyError(400, 'the body is not JSON');
  }
}
