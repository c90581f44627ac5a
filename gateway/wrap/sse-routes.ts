import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createOutlet } from '../http/event-stream.ts';
import { sendProblem } from '../http/respond.ts';
import { describeError } from '../upstream/errors.ts';
import type { WrappedProcess } from './process.ts';
import { readRpc } from './read.ts';
import type { WrapParts } from './parts.ts';

/** How much may wait for a client that does not read, in bytes. */
const WAITING_LIMIT = 256 * 1024 * 1024;

/** HTTP+SSE (MCP 2024-11-05): a stream and its process for each client, and an address to post to. */
export interface SseRoutes {
  open(req: IncomingMessage, res: ServerResponse): void;
  /** Takes a message for the session that the query names. */
  post(req: IncomingMessage, res: ServerResponse, sessionId: string | null): Promise<void>;
  close(): Promise<void>;
}

export function createSseRoutes(parts: WrapParts, messagesPath: string): SseRoutes {
  const { options } = parts;
  const sessions = new Map<string, WrappedProcess>();
  const ending = new Set<Promise<void>>();
  const end = (id: string): void => {
    const child = sessions.get(id);
    if (child === undefined) return;
    sessions.delete(id);
    const ended = child.stop().finally(() => ending.delete(ended));
    ending.add(ended);
  };
  return {
    open: (_req, res) => {
      if (parts.closing() || sessions.size >= options.maxSessions)
        return sendProblem(res, 503, `over ${options.maxSessions} sessions, or stopping; try again later`);
      const id = randomBytes(24).toString('base64url');
      const outlet = createOutlet(res, () => end(id));
      const child = parts.start({
        onMessage: (_message, text) => {
          outlet.write(`event: message\ndata: ${text}\n\n`);
          if (res.writableLength > WAITING_LIMIT) res.destroy();
        },
      });
      sessions.set(id, child);
      outlet.write(`event: endpoint\ndata: ${messagesPath}?sessionId=${id}\n\n`);
      // The client of a server that has gone sees its stream end, and connects again.
      void child.gone.then(() => {
        sessions.delete(id);
        outlet.end();
      });
    },
    post: async (req, res, sessionId) => {
      const child = sessionId === null ? undefined : sessions.get(sessionId);
      if (child === undefined) {
        sendProblem(res, 404, 'the session is unknown or has ended; connect again');
        return;
      }
      const message = await readRpc(req, res, options.bodyLimit);
      if (message === undefined) return;
      try {
        child.send(message);
        res.writeHead(202).end('Accepted');
      } catch (error) {
        sendProblem(res, 502, describeError(error));
      }
    },
    close: async () => {
      for (const id of [...sessions.keys()]) end(id);
      await Promise.all(ending);
    },
  };
}
