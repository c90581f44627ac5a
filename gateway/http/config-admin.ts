import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Decide } from '../access/decide.ts';
import type { Edit } from '../config/edit.ts';
import {
  addGroupSchema,
  addServerSchema,
  changesSchema,
  moveServerSchema,
  promoteServerSchema,
  putConfigSchema,
  removeSchema,
  type ConfigChanged,
  ruleToolSchema,
  testServerSchema,
} from '../contract/config.ts';
import type { Principal } from '../identity/principal.ts';
import { ChangeError, type ChangeOptions, type Configuration } from '../registry/configuration.ts';
import type { createTrials } from '../registry/trial.ts';
import type { Config } from '../config/schema.ts';
import type { Tokens } from '../identity/tokens.ts';
import { readJson } from './body.ts';
import { addSubjectRoutes } from './subjects.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 8 * 1024 * 1024;

export interface ConfigAdminDeps {
  readonly configuration: Configuration;
  readonly tryServer: ReturnType<typeof createTrials>;
  /** Lets administrators through. */
  readonly administrator: (handler: Handler) => RequestHandler;
  /** Lets through who manages the group that the route names, administrators too. */
  readonly manager: (handler: Handler) => RequestHandler;
  readonly decide: Decide;
  readonly config: () => Config;
  readonly tokens: Pick<Tokens, 'revoke'>;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void>;

/** `/api/v1/config`, `/groups`, `/servers`: the registry's configuration, for administrators. */
export function createConfigRoutes(deps: ConfigAdminDeps): Router {
  const { configuration } = deps;
  const router = Router();
  const guarded = (handler: Handler, admit = deps.administrator): RequestHandler =>
    admit(async (req, res, principal) => {
      try {
        await handler(req, res, principal);
      } catch (error) {
        if (!(error instanceof ChangeError)) throw error;
        const { status, message, field, rule, launches } = error;
        const more = { field, rule, launches };
        sendProblem(res, status, message, {
          ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)),
        });
      }
    });
  /** A route that makes one edit of its body's fields. */
  const edits = <Body extends Omit<ChangeOptions, 'dryRun' | 'by'>>(
    schema: { parse(body: unknown): Body },
    editOf: (body: Body, params: Record<string, string>) => Edit,
    admit = deps.administrator,
    then: (changed: ConfigChanged, req: Request) => Promise<object> = () => Promise.resolve({}),
  ): RequestHandler =>
    guarded(async (req, res, principal) => {
      const body = schema.parse(await bodyOf(req));
      const edit = editOf(body, req.params as Record<string, string>);
      const by = principal.subject;
      const limited = deps.decide(principal, { action: 'manage' }).effect === 'deny';
      if (limited && 'group' in edit) mustManage(deps.decide, principal, edit.group);
      const changed = await configuration.edit(edit, { ...body, by, limited, dryRun: isDryRun(req) });
      res.json({ ...changed, ...(await then(changed, req)) });
    }, admit);
  const { manager } = deps;
  addSubjectRoutes(router, {
    ...{ config: deps.config, tokens: deps.tokens, guarded },
    edits: (schema, editOf, then) => edits(schema, editOf, deps.administrator, then),
  });

  router.get(
    '/api/v1/config',
    guarded((_req, res) => Promise.resolve(void res.json(configuration.view()))),
  );
  router.put(
    '/api/v1/config',
    guarded(async (req, res, { subject: by }) => {
      const { text, ...options } = putConfigSchema.parse(await bodyOf(req));
      res.json(await configuration.replace(text, { ...options, by, dryRun: isDryRun(req) }));
    }),
  );
  router.post(
    '/api/v1/groups',
    edits(addGroupSchema, ({ group }) => ({ kind: 'add-group', group })),
  );
  router.patch(
    '/api/v1/groups/:group',
    edits(changesSchema, ({ changes }, { group = '' }) => ({ kind: 'edit-group', group, changes })),
  );
  router.delete(
    '/api/v1/groups/:group',
    edits(removeSchema, ({ servers }, { group = '' }) => ({ kind: 'remove-group', group, servers })),
  );
  router.post(
    '/api/v1/groups/:group/servers',
    edits(addServerSchema, ({ server }, { group = '' }) => ({ kind: 'add-server', group, server }), manager),
  );
  const one = '/api/v1/groups/:group/servers/:server';
  const idOf = ({ group = '', server = '' }: Record<string, string>): string => `${group}:${server}`;
  router.patch(
    one,
    edits(
      changesSchema,
      ({ changes }, params) => ({ kind: 'edit-server', server: idOf(params), changes }),
      manager,
    ),
  );
  router.delete(
    one,
    edits(removeSchema, (_body, params) => ({ kind: 'remove-server', server: idOf(params) }), manager),
  );
  router.post(
    `${one}/move`,
    edits(
      moveServerSchema,
      ({ group }, params) => ({ kind: 'move-server', server: idOf(params), group }),
      manager,
    ),
  );
  router.post(
    `${one}/promote`,
    edits(
      promoteServerSchema,
      ({ group, changes }, params) => ({
        kind: 'promote-server',
        server: idOf(params),
        group,
        changes,
      }),
      manager,
    ),
  );
  router.put(
    `${one}/tools/:tool`,
    edits(
      ruleToolSchema,
      ({ effect, when }, params) => ({
        kind: 'rule-tool',
        server: idOf(params),
        tool: params['tool'] ?? '',
        rule: effect === null ? null : { effect, when },
      }),
      manager,
    ),
  );
  router.post(
    '/api/v1/servers/test',
    guarded(async (req, res, { subject: by }) => {
      const trial = testServerSchema.parse(await bodyOf(req));
      const gone = new AbortController();
      res.on('close', () => gone.abort());
      res.json(await deps.tryServer({ ...trial, by }, gone.signal));
    }),
  );
  return router;
}

/** What is moved or copied goes to a group that its mover manages too. */
function mustManage(decide: Decide, principal: Principal, group: unknown): void {
  if (typeof group !== 'string') return;
  const decision = decide(principal, { action: 'manage', group });
  if (decision.effect === 'deny') throw new ChangeError(403, decision.reason, { rule: decision.rule });
}

/** A `DELETE` may come without a body. */
async function bodyOf(req: Request): Promise<unknown> {
  const empty = req.headers['content-length'] === undefined && req.headers['transfer-encoding'] === undefined;
  return empty ? {} : readJson(req, BODY_LIMIT);
}

function isDryRun(req: Request): boolean {
  return req.query['dryRun'] === 'true';
}
