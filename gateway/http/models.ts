import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Decide } from '../access/decide.ts';
import type { Models } from '../models/models.ts';
import type { Principal } from '../identity/principal.ts';
import { AgentError } from '../agent/errors.ts';
import { sendJsonText } from './respond.ts';

export interface ModelRoutes {
  /** True when the path is the list of models, and the request was answered. */
  handle(req: IncomingMessage, res: ServerResponse, principal: Principal, path: string): Promise<boolean>;
}

/** `GET /v1/models` and `GET /api/llm/models`: every model that the caller may use, in OpenAI's shape. */
export function createModelRoutes({
  models,
  decide,
}: {
  readonly models: Models;
  readonly decide: Decide;
}): ModelRoutes {
  return {
    async handle(req, res, principal, path) {
      if (path !== '/v1/models' && path !== '/api/llm/models') return false;
      if (req.method === 'GET') {
        const gone = new AbortController();
        res.once('close', () => {
          gone.abort();
        });
        const may = (model: string): boolean =>
          decide(principal, { action: 'model', model }).effect === 'allow';
        sendJsonText(res, 200, JSON.stringify(await models.list(gone.signal, may)));
      } else {
        const error = new AgentError('Use GET here.', { status: 405, code: 'method_not_allowed' });
        sendJsonText(res, error.status, JSON.stringify(error.body()), { allow: 'GET' });
      }
      return true;
    },
  };
}
