import type { Request, Response } from 'express';
import * as z from 'zod';
import type { Decide } from '../access/decide.ts';
import { reachesCall } from '../access/scope.ts';
import type { ApprovalDesk } from '../approvals/desk.ts';
import { ApprovalError } from '../approvals/errors.ts';
import { shownOf } from '../approvals/event.ts';
import type { ApprovalWebhook } from '../config/policies/approvals.ts';
import {
  approvalGrantSchema,
  approvalWordSchema,
  approveRequestSchema,
  denyRequestSchema,
  type ApprovalGrantList,
  type ApprovalList,
  type ApprovalsChanged,
  type ApprovalView,
} from '../contract/approvals.ts';
import type { Identity } from '../identity/identity.ts';
import { isSigned, SIGNATURE_HEADER } from '../credentials/signature.ts';
import { WHOLE_SCOPE, type Principal } from '../identity/principal.ts';
import type { ApprovalRecord } from '../storage/contracts.ts';
import { readBody, readJson } from './body.ts';
import { sendProblem } from './respond.ts';
import { openSse } from './sse.ts';

const BODY_LIMIT = 16 * 1024;
const MAX_LISTED = 500;
/** What is looked through for what somebody may see: as many as can wait. */
const MAX_LOOKED_THROUGH = 1_000;
/** Of arguments and diffs of one in a list. */
const MAX_LISTED_CHARS = 16_000;
const SETTLE_MS = 50;

export interface ApprovalRoutesDeps {
  readonly approvals: ApprovalDesk;
  readonly approvalAddress: (id: string) => string;
  readonly decide: Decide;
  readonly identity: Pick<Identity, 'holds'>;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void>;
type Routes = Readonly<Record<'list' | 'get' | 'approve' | 'deny' | 'events' | 'grants' | 'revoke', Handler>>;

/**
 * `/api/v1/approvals` and `/api/v1/approval-grants`. Everybody sees their own requests, as far as their token reaches,
 * and those they may decide; administrators see all. What is not for somebody's eyes is not there.
 */
export function createApprovalRoutes({
  approvals,
  approvalAddress,
  decide,
  identity,
}: ApprovalRoutesDeps): Routes {
  const administers = (principal: Principal): boolean =>
    decide(principal, { action: 'manage' }).effect === 'allow';
  const viewOf = (principal: Principal, record: ApprovalRecord): ApprovalView => {
    const why = approvals.refusal(principal, record);
    const mayDecide = record.status === 'pending' && why === undefined;
    const whyNot = record.status === 'pending' ? (why ?? null) : `it is ${record.status}`;
    const shown = shownOf(record, approvalAddress(record.id), approvals.lasts(record));
    return { ...shown, mayDecide, whyNot };
  };
  const sees = (principal: Principal, record: ApprovalRecord): boolean =>
    (record.subject === principal.subject && reachesCall(principal.scope, record.content)) ||
    approvals.refusal(principal, record) === undefined ||
    administers(principal);
  const seen = async (req: Request, principal: Principal): Promise<ApprovalRecord> => {
    const id = String(req.params['id']);
    const record = await approvals.get(id);
    if (record !== undefined && sees(principal, record)) return record;
    throw new ApprovalError('missing', `there is no approval "${id}", or it is not for you to see`);
  };
  const decideBy =
    (verdict: 'approved' | 'denied', word: (body: unknown) => object): Handler =>
    async (req, res, principal) => {
      const { id } = await seen(req, principal);
      const empty = req.headers['content-length'] === '0' || req.headers['content-type'] === undefined;
      const given = word(empty ? {} : await readJson(req, BODY_LIMIT));
      res.json(viewOf(principal, await approvals.decide(principal, id, { verdict, via: 'api', ...given })));
    };
  const routes: Routes = {
    list: async (req, res, principal) => {
      const { status, limit } = listQuerySchema.parse(req.query);
      const records = await approvals.list({ pending: status === 'pending', limit: MAX_LOOKED_THROUGH });
      const seen = records.filter((one) => sees(principal, one)).slice(0, limit);
      const answer: ApprovalList = { approvals: seen.map((one) => listed(viewOf(principal, one))) };
      res.json(answer);
    },
    get: async (req, res, principal) => {
      res.json(viewOf(principal, await seen(req, principal)));
    },
    approve: decideBy('approved', (body) => approveRequestSchema.parse(body)),
    deny: decideBy('denied', (body) => {
      const { reason } = denyRequestSchema.parse(body);
      return reason === undefined ? {} : { reason };
    }),
    events: (_req, res, principal) => follow(approvals, identity, principal, res),
    grants: async (_req, res, principal) => {
      const all = await approvals.grants();
      const grants = all
        .filter((grant) => grant.subject === principal.subject || approvals.mayRevoke(principal, grant))
        .map((grant) => approvalGrantSchema.parse(grant));
      const answer: ApprovalGrantList = { grants };
      res.json(answer);
    },
    revoke: async (req, res, principal) => {
      const id = String(req.params['id']);
      const grant = (await approvals.grants()).find((one) => one.id === id);
      const may = grant && (grant.subject === principal.subject || approvals.mayRevoke(principal, grant));
      if (may !== true) throw new ApprovalError('missing', `there is no grant "${id}", or it is not yours`);
      await approvals.removeGrant(id);
      res.status(204).end();
    },
  };
  return Object.fromEntries(
    Object.entries(routes).map(([name, handler]) => [name, inWords(handler)]),
  ) as unknown as Routes;
}

/** `POST /api/v1/approvals/webhooks/{name}`: the word of a program that signs with the webhook's secret. */
export function createWebhookRoute(deps: {
  readonly approvals: ApprovalDesk;
  readonly webhooks: () => readonly ApprovalWebhook[];
  readonly resolve: (text: string) => string;
  readonly now: () => number;
}): (req: Request, res: Response) => Promise<void> {
  return async (req, res) => {
    const webhook = deps.webhooks().find(({ name }) => name === req.params['name']);
    const body = (await readBody(req, BODY_LIMIT)).toString('utf8');
    const signed =
      webhook !== undefined &&
      isSigned(deps.resolve(webhook.secret), body, req.headers[SIGNATURE_HEADER], deps.now());
    if (webhook === undefined || !signed) {
      sendProblem(
        res,
        401,
        'there is no such webhook, or the message is not signed with its secret just now',
      );
      return;
    }
    if (webhook.as === undefined) {
      sendProblem(res, 403, 'this webhook decides nothing; give it the name of an approver', { rule: 'as' });
      return;
    }
    const { id, ...word } = approvalWordSchema.parse(parsed(body));
    const principal: Principal = {
      subject: webhook.as,
      tokenId: `webhook:${webhook.name}`,
      administrator: false,
      claims: { teams: [] },
      scope: WHOLE_SCOPE,
    };
    const decided = await deps.approvals.decide(principal, id, { ...word, via: 'webhook' });
    res.json({ id, status: decided.status });
  };
}

/** A list of many stays one that a client can take, however much their callers send. */
function listed(view: ApprovalView): ApprovalView {
  const long = JSON.stringify([view.arguments, view.diffs]).length > MAX_LISTED_CHARS;
  return long ? { ...view, whole: false, arguments: {}, diffs: [] } : view;
}

/** Undefined, which no word is, where it is no JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

const listQuerySchema = z.object({
  status: z.enum(['pending', 'all']).default('pending'),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100),
});

const STATUS: Record<ApprovalError['kind'], number> = {
  missing: 404,
  forbidden: 403,
  decided: 409,
  unfit: 400,
  full: 429,
};

/** Answers what an approval's errors say. */
export function inWords<Rest extends unknown[]>(
  handler: (req: Request, res: Response, ...rest: Rest) => Promise<void>,
): (req: Request, res: Response, ...rest: Rest) => Promise<void> {
  return async (req, res, ...rest) => {
    try {
      await handler(req, res, ...rest);
    } catch (error) {
      if (!(error instanceof ApprovalError)) throw error;
      sendProblem(res, STATUS[error.kind], error.message, error.kind === 'unfit' ? { field: 'scope' } : {});
    }
  };
}

/** Tells how many wait for the listener's word, at once and at each change. */
async function follow(
  approvals: ApprovalDesk,
  identity: Pick<Identity, 'holds'>,
  principal: Principal,
  res: Response,
): Promise<void> {
  const stream = openSse(res);
  let pending: NodeJS.Timeout | undefined;
  const send = async (): Promise<void> => {
    pending = undefined;
    if (!identity.holds(principal)) {
      stream.end();
      return;
    }
    const records = await approvals.list({ pending: true, limit: MAX_LOOKED_THROUGH });
    const waiting = records.filter((record) => approvals.refusal(principal, record) === undefined).length;
    const event: ApprovalsChanged = { waiting };
    await stream.send({ name: 'approvals', data: JSON.stringify(event) });
  };
  const stop = approvals.onChange(() => (pending ??= setTimeout(() => void send(), SETTLE_MS)));
  stream.signal.addEventListener('abort', () => {
    stop();
    clearTimeout(pending);
  });
  await send();
}
