import type { Request, Response } from 'express';
import type { Decide } from '../access/decide.ts';
import type { Config } from '../config/schema.ts';
import { rotateRequestSchema, tokenRequestSchema, type NewTokenAnswer } from '../contract/tokens.ts';
import type { Principal } from '../identity/principal.ts';
import { durationOf, TokenError, toNewToken, type Maker } from '../identity/token-request.ts';
import { tokenView, tokenViews } from '../identity/token-views.ts';
import { NameTakenError, type Issued, type Tokens } from '../identity/tokens.ts';
import type { ActivityStore, ConfigStore, TokenRecord } from '../storage/contracts.ts';
import { readJson } from './body.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 256 * 1024;

export interface TokenRoutesDeps {
  readonly tokens: Tokens;
  readonly configStore: ConfigStore;
  readonly activity: ActivityStore;
  readonly config: () => Config;
  readonly decide: Decide;
  readonly now: () => number;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void>;

/**
 * `/api/v1/tokens`. Administrators see and change all tokens, everybody else their own; nobody makes one that may more
 * than the one they ask with.
 */
export interface TokenRoutes {
  readonly list: Handler;
  readonly create: Handler;
  readonly rotate: Handler;
  /** One by its id. */
  readonly revoke: Handler;
  /** All of a subject: `?subject=`. */
  readonly revokeAll: Handler;
}

export function createTokenRoutes(deps: TokenRoutesDeps): TokenRoutes {
  const { tokens, configStore, now } = deps;
  const administers = (principal: Principal): boolean =>
    deps.decide(principal, { action: 'manage' }).effect === 'allow';
  /** Those that the principal may change. One that is narrowed reaches no token that is not. */
  const own = (principal: Principal): ((record: TokenRecord) => boolean) => {
    if (administers(principal)) return () => true;
    const narrowed = Object.values(principal.scope).some((part) => part !== null);
    return ({ id, subject }) => subject === principal.subject && (!narrowed || id === principal.tokenId);
  };
  const find = (req: Request, res: Response, principal: Principal): TokenRecord | undefined => {
    const id = String(req.params['id']);
    const found = configStore.current().tokens.find((record) => record.id === id && own(principal)(record));
    if (found === undefined) sendProblem(res, 404, `there is no token with the id "${id}"`, { field: 'id' });
    return found;
  };
  const answer = (res: Response, status: number, { value, record }: Issued): void => {
    const body: NewTokenAnswer = { token: value, view: tokenView(record, now()) };
    res.status(status).setHeader('cache-control', 'no-store').json(body);
  };

  return {
    list: async (_req, res, principal) => {
      const mine = configStore.current().tokens.filter(own(principal));
      res.json({ tokens: await tokenViews(mine, deps.activity, now()) });
    },
    create: guarded(async (req, res, principal) => {
      const request = tokenRequestSchema.parse(await readJson(req, BODY_LIMIT));
      const wish = { ...request, subject: request.subject ?? principal.subject };
      const record = configStore.current().tokens.find(({ id }) => id === principal.tokenId);
      const maker: Maker = { principal, administers: administers(principal), record };
      answer(res, 200, await tokens.create(toNewToken(wish, deps.config(), now(), maker)));
    }),
    rotate: guarded(async (req, res, principal) => {
      const found = find(req, res, principal);
      if (found === undefined) return;
      const { grace } = rotateRequestSchema.parse(await readJson(req, BODY_LIMIT));
      const issued = await tokens.rotate(found.id, durationOf('grace', grace));
      if (issued === undefined) sendProblem(res, 404, 'the token was revoked meanwhile', { field: 'id' });
      else answer(res, 200, issued);
    }),
    revoke: async (req, res, principal) => {
      const found = find(req, res, principal);
      if (found !== undefined) res.json({ revoked: await tokens.revoke(({ id }) => id === found.id) });
    },
    revokeAll: async (req, res, principal) => {
      const subject = req.query['subject'];
      if (typeof subject !== 'string' || subject === '') {
        sendProblem(res, 400, 'name whose tokens to revoke: ?subject=user:ID', { field: 'subject' });
        return;
      }
      const may = own(principal);
      res.json({ revoked: await tokens.revoke((record) => record.subject === subject && may(record)) });
    },
  };
}

function guarded(handler: Handler): Handler {
  return async (req, res, principal) => {
    try {
      await handler(req, res, principal);
    } catch (error) {
      if (error instanceof TokenError)
        sendProblem(res, error.status, `${error.field}: ${error.message}`, { field: error.field });
      else if (error instanceof NameTakenError) sendProblem(res, 409, error.message, { field: 'name' });
      else throw error;
    }
  };
}
