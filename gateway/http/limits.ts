import type { Request, Response } from 'express';
import type { Decide } from '../access/decide.ts';
import type { CounterView } from '../contract/limits.ts';
import type { Principal } from '../identity/principal.ts';
import type { CounterView as Counter, Limits } from '../limits/limits.ts';
import { modeOf, resetsAt, type LimitRule } from '../limits/rules.ts';
import { sendProblem } from './respond.ts';

/** `/api/v1/limits`: what has been used, and for administrators the way to begin anew. */
export function createLimitRoutes(deps: {
  readonly limits: Limits;
  readonly limitRules: () => readonly LimitRule[];
  readonly decide: Decide;
  readonly now: () => number;
}): Readonly<Record<'list' | 'reset', (req: Request, res: Response, principal: Principal) => void>> {
  return {
    list: (_req, res, principal) => {
      const all = deps.decide(principal, { action: 'manage' }).effect === 'allow';
      const counters = deps.limits
        .counters(deps.limitRules())
        .filter(({ holder }) => all || holder.values['principal'] === principal.subject)
        .map((counter) => viewOf(counter, deps.now()));
      res.json({ counters });
    },
    reset: (req, res) => {
      const name = String(req.params['policy']);
      if (!deps.limitRules().some((rule) => rule.name === name)) {
        sendProblem(res, 404, `there is no rate limit or budget "${name}"`);
        return;
      }
      deps.limits.reset(name);
      res.status(204).end();
    },
  };
}

function viewOf({ rule, holder, limit, used, roomIn }: Counter, now: number): CounterView {
  return {
    policy: rule.name,
    kind: rule.kind,
    mode: modeOf(rule),
    holder: { ...holder.values },
    unit: limit.unit,
    limit: limit.text,
    amount: limit.amount,
    used,
    remaining: Math.max(0, limit.amount - used),
    resetsAt: resetsAt(limit, now),
    roomAt: roomIn === undefined || roomIn === 0 ? null : now + roomIn,
    alerts: [...rule.alerts],
  };
}
