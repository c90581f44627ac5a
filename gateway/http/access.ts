import type { Request, Response } from 'express';
import type { Decide } from '../access/decide.ts';
import { explainRequestSchema } from '../contract/access.ts';
import type { Principal } from '../identity/principal.ts';
import { UnknownTargetError, type Explain } from '../registry/explain.ts';
import { readJson } from './body.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 1024 * 1024;

/** `POST /api/v1/access/explain`. Who manages a group may ask about it; all else is for administrators. */
export function createExplainRoute(deps: {
  readonly explain: Explain;
  readonly decide: Decide;
}): (req: Request, res: Response, principal: Principal) => Promise<void> {
  return async (req, res, principal) => {
    const question = explainRequestSchema.parse(await readJson(req, BODY_LIMIT));
    const may = (group?: string): boolean =>
      deps.decide(principal, { action: 'manage', ...(group !== undefined && { group }) }).effect === 'allow';
    try {
      if (!may()) {
        const group = deps.explain.groupOf(question);
        // Whether it exists is not told to who may not ask.
        if (group === undefined || !may(group)) {
          refuse(res);
          return;
        }
      }
      res.json(deps.explain.answer(principal, question));
    } catch (error) {
      if (!(error instanceof UnknownTargetError)) throw error;
      if (may()) sendProblem(res, 404, error.message, { field: error.field });
      else refuse(res);
    }
  };
}

function refuse(res: Response): void {
  const detail = 'decisions are explained to administrators, and those about a group to who manages it';
  sendProblem(res, 403, detail, { rule: 'administrator' });
}
