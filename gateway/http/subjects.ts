import type { Request, RequestHandler, Response, Router } from 'express';
import type { Edit } from '../config/edit.ts';
import type { Config } from '../config/schema.ts';
import { changesSchema, removeSchema, type ConfigChanged } from '../contract/config.ts';
import {
  addSubjectSchema,
  SUBJECT_LISTS,
  subjectListSchema,
  type SubjectListName,
} from '../contract/subjects.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { ChangeOptions } from '../registry/configuration.ts';
import { sendProblem } from './respond.ts';

type Fields = Omit<ChangeOptions, 'dryRun' | 'by'>;

export interface SubjectRoutesDeps {
  readonly config: () => Config;
  readonly tokens: Pick<Tokens, 'revoke'>;
  readonly guarded: (handler: (req: Request, res: Response) => Promise<void>) => RequestHandler;
  /** A route that makes one edit; `then` adds to its answer. */
  readonly edits: <Body extends Fields>(
    schema: { parse(body: unknown): Body },
    editOf: (body: Body, params: Record<string, string>) => Edit,
    then?: (changed: ConfigChanged, req: Request) => Promise<object>,
  ) => RequestHandler;
}

const BASE = '/api/v1/subjects/:list';

/** `/api/v1/subjects`: users, teams and service accounts of the configuration, for administrators. */
export function addSubjectRoutes(
  router: Router,
  { config, tokens, guarded, edits }: SubjectRoutesDeps,
): void {
  const listOf = (params: Record<string, string>): (typeof SUBJECT_LISTS)[SubjectListName] =>
    SUBJECT_LISTS[
      subjectListSchema.parse(params['list'], { error: () => 'use users, teams or service-accounts' })
    ];
  router.param('list', (_req, res, next, list: string) => {
    if (list in SUBJECT_LISTS) next();
    else
      sendProblem(res, 404, `there is no list "${list}"; use users, teams or service-accounts`, {
        field: 'list',
      });
  });
  router.get(
    BASE,
    guarded((req, res) => {
      res.json({ entries: config().subjects[listOf(req.params as Record<string, string>)] });
      return Promise.resolve();
    }),
  );
  router.post(
    BASE,
    edits(addSubjectSchema, ({ entry }, params) => ({ kind: 'add-subject', list: listOf(params), entry })),
  );
  router.patch(
    `${BASE}/:name`,
    edits(changesSchema, ({ changes }, params) => ({
      kind: 'edit-subject',
      list: listOf(params),
      name: params['name'] ?? '',
      changes,
    })),
  );
  router.delete(
    `${BASE}/:name`,
    edits(
      removeSchema,
      (_body, params) => ({ kind: 'remove-subject', list: listOf(params), name: params['name'] ?? '' }),
      async ({ dryRun }, req) => ({ revoked: dryRun ? [] : await revokeOf(tokens, req) }),
    ),
  );
}

/**
 * A service account is gone with its entry, and its tokens with it. A user is whoever has a token of that name, declared or not: their
 * tokens go where `?tokens=revoke` says so.
 */
function revokeOf(tokens: Pick<Tokens, 'revoke'>, req: Request): Promise<readonly string[]> {
  const { list, name } = req.params as Record<string, string>;
  const subject =
    list === 'service-accounts'
      ? `serviceaccount:${name ?? ''}`
      : list === 'users' && req.query['tokens'] === 'revoke'
        ? `user:${name ?? ''}`
        : undefined;
  return subject === undefined ? Promise.resolve([]) : tokens.revoke((record) => record.subject === subject);
}
