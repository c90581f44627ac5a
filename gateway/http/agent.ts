import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '../agent/agent.ts';
import { AgentError } from '../agent/errors.ts';
import type { Run } from '../agent/run.ts';
import type { Principal } from '../identity/principal.ts';
import { parseAgentRequest } from './agent-request.ts';
import { BodyError, readJson } from './body.ts';
import { MetadataError, readCallerWords } from './caller-words.ts';
import { sendJsonText, serverTiming } from './respond.ts';
import { openSse } from './sse.ts';

export interface AgentRoutes {
  /** True when the path is one of the agent's, and the request was answered. */
  handle(req: IncomingMessage, res: ServerResponse, principal: Principal, path: string): Promise<boolean>;
}

const MAX_BODY = 4 * 1024 * 1024;
/** How long a stream's beginning waits for the model, so that its refusal can still be an HTTP status. */
const GRACE_MS = 5000;
const RUN_PATH = /^\/api\/llm\/agent\/runs\/([\w-]{1,80})(\/events|\/cancel)?$/;

/**
 * `POST /api/llm/agent/responses`, and under `/api/llm/agent/runs/{id}` its runs: status, `events` (SSE, from
 * `Last-Event-ID`) and `cancel`. Errors have OpenAI's shape. The caller is known already.
 */
export function createAgentRoutes({ agent }: { readonly agent: Agent }): AgentRoutes {
  async function dispatch(
    req: IncomingMessage,
    res: ServerResponse,
    principal: Principal,
    path: string,
  ): Promise<void> {
    const [, id, action] = RUN_PATH.exec(path) ?? [];
    if (id === undefined) {
      allow(req, 'POST');
      return respond(agent, req, res, principal);
    }
    allow(req, action === '/cancel' ? 'POST' : 'GET');
    const run = agent.run(principal, id);
    if (action === '/events') return follow(run, lastEventId(req, run), res);
    if (action === '/cancel') {
      run.cancel();
      await run.over;
    }
    sendJsonText(res, 200, JSON.stringify(run.view()));
  }

  return {
    async handle(req, res, principal, path) {
      if (path !== '/api/llm/agent/responses' && !RUN_PATH.test(path)) return false;
      try {
        await dispatch(req, res, principal, path);
      } catch (error) {
        sendError(res, error);
      }
      return true;
    },
  };
}

async function respond(
  agent: Agent,
  req: IncomingMessage,
  res: ServerResponse,
  principal: Principal,
): Promise<void> {
  const arrived = performance.now();
  const request = parseAgentRequest(await readJson(req, MAX_BODY));
  const { metadata, fresh } = wordsOf(req);
  const run = await agent.start({
    principal,
    request,
    metadata: request.metadata === undefined ? metadata : { ...request.metadata, ...metadata },
    fresh,
    arrived,
  });
  const headers = { 'x-toolgate-run-id': run.id, 'server-timing': serverTiming(performance.now() - arrived) };
  if (request.stream) {
    await Promise.race([run.started, sleep(GRACE_MS, undefined, { ref: false })]);
    const failure = run.failure();
    if (failure && !run.hasSpoken()) throw failure;
    return follow(run, 0, res, headers);
  }
  // Nobody could ever read a run whose id was not told yet.
  res.once('close', () => {
    run.cancel();
  });
  if (res.destroyed) run.cancel();
  await run.over;
  const failure = run.failure();
  if (failure) throw failure;
  sendJsonText(res, 200, JSON.stringify(run.completion()), headers);
}

function wordsOf(req: IncomingMessage): ReturnType<typeof readCallerWords> {
  try {
    return readCallerWords(req.headers);
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    throw new AgentError(`${error.message}.`, {
      status: 400,
      code: 'invalid_request',
      param: 'x-toolgate-metadata',
    });
  }
}

/** Streams the run's events after the one with the id `after`, to their end. */
async function follow(
  run: Run,
  after: number,
  res: ServerResponse,
  headers: Record<string, string> = {},
): Promise<void> {
  const stream = openSse(res, headers);
  let seen = after;
  for (;;) {
    const events = await run.events.next(seen, stream.signal);
    if (events.length === 0) break;
    for (const event of events) {
      if (event.id !== seen + 1) {
        await stream.send({ data: JSON.stringify(forgotten(run, seen).body()) });
        stream.end();
        return;
      }
      if (!(await stream.send(event))) return;
      seen = event.id;
    }
  }
  stream.end();
}

function lastEventId(req: IncomingMessage, run: Run): number {
  const text = String(req.headers['last-event-id'] ?? '0');
  const id = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (id < 0 || id > run.events.last()) {
    throw new AgentError(
      `Last-Event-ID: the run has no event "${text}"; its newest is ${run.events.last()}.`,
      {
        status: 400,
        code: 'invalid_request',
        param: 'Last-Event-ID',
      },
    );
  }
  if (!run.events.has(id)) throw forgotten(run, id);
  return id;
}

function forgotten(run: Run, seen: number): AgentError {
  return new AgentError(
    `The events that follow ${seen} are no longer all kept, so the stream cannot go on without a gap. GET /api/llm/agent/runs/${run.id} tells how the run stands.`,
    { status: 410, code: 'events_forgotten' },
  );
}

function allow(req: IncomingMessage, method: string): void {
  if (req.method === method) return;
  throw new AgentError(`Use ${method} here, not ${req.method ?? 'nothing'}.`, {
    status: 405,
    code: 'method_not_allowed',
  });
}

function sendError(res: ServerResponse, thrown: unknown): void {
  const error =
    thrown instanceof BodyError
      ? new AgentError(`The request was not read: ${thrown.message}.`, {
          status: thrown.status,
          code: 'invalid_request',
        })
      : thrown;
  if (!(error instanceof AgentError)) throw error;
  sendJsonText(res, error.status, JSON.stringify(error.body()), {
    ...(error.retryAfter === undefined ? {} : { 'retry-after': String(error.retryAfter) }),
  });
}
