import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import * as z from 'zod';
import type { AccessRequest, Decide } from '../access/decide.ts';
import type { ReferenceSource } from '../config/references.ts';
import type { Config } from '../config/schema.ts';
import type { ActivityPage } from '../contract/activity.ts';
import { callRequestSchema, type CallResponse } from '../contract/admin.ts';
import type { Identity } from '../identity/identity.ts';
import type { Policing } from '../policing.ts';
import type { ConsentDesk } from '../credentials/consent-desk.ts';
import type { Oauth } from '../credentials/oauth/oauth.ts';
import type { PersonalCredentials } from '../credentials/personal.ts';
import type { SecretVault } from '../credentials/vault.ts';
import type { RegistryEvent, RegistryView } from '../contract/registry.ts';
import { searchQuerySchema } from '../contract/search.ts';
import type { Principal } from '../identity/principal.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { ContextCost } from '../mcp/context-cost.ts';
import { newFacts, type Call, type Pipeline, type RefusalReason } from '../pipeline/call.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Pins } from '../registry/pins.ts';
import type { Configuration } from '../registry/configuration.ts';
import type { Explain } from '../registry/explain.ts';
import { searchResponse, type Search } from '../registry/search.ts';
import type { createTrials } from '../registry/trial.ts';
import { registryView } from '../registry/view.ts';
import type { ActivityStore, ConfigStore } from '../storage/contracts.ts';
import { newTraceId } from '../telemetry/trace.ts';
import type { Dispatchers } from '../upstream/dispatcher.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { createExplainRoute } from './access.ts';
import { createApprovalRoutes, createWebhookRoute, inWords } from './approvals.ts';
import { readJson } from './body.ts';
import { MetadataError, readCallerWords } from './caller-words.ts';
import { createConfigRoutes } from './config-admin.ts';
import { createCredentialRoutes } from './credentials.ts';
import type { BudgetAlert } from '../contract/limits.ts';
import type { Alert } from '../limits/alerts.ts';
import { createLimitRoutes } from './limits.ts';
import { createImportFilesRoute, createImportRoute } from './import.ts';
import { guardsOf } from './guards.ts';
import type { OwnAddress } from './own-address.ts';
import type { HeldBodies } from './held-bodies.ts';
import type { Perimeter } from './perimeter.ts';
import { createPresetsRoute } from './presets.ts';
import { createPinRoutes } from './pins.ts';
import { sendProblem, serverTiming } from './respond.ts';
import { openSse } from './sse.ts';
import { createSecretRoutes } from './secrets.ts';
import { createTokenRoutes } from './tokens.ts';

export interface AdminDeps {
  readonly bodies: HeldBodies;
  readonly perimeter: Perimeter;
  readonly address: OwnAddress;
  readonly decide: Decide;
  readonly catalog: Catalog;
  readonly explain: Explain;
  readonly search: Search;
  readonly contextCost: ContextCost;
  readonly pipeline: Pipeline;
  readonly upstreams: Upstreams;
  readonly dispatchers: Dispatchers;
  readonly pins: Pins;
  readonly tokens: Tokens;
  readonly vault: SecretVault;
  readonly personal: PersonalCredentials;
  readonly oauth: Oauth;
  readonly consentDesk: ConsentDesk;
  readonly policing: Policing;
  readonly resolve: (text: string) => string;
  readonly identity: Identity;
  readonly references: ReferenceSource;
  readonly now: () => number;
  readonly activity: ActivityStore;
  readonly configStore: ConfigStore;
  readonly config: () => Config;
  readonly gatewayVersion: string;
  /** The home folder of the gateway's user. */
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly configuration: Configuration;
  readonly tryServer: ReturnType<typeof createTrials>;
  readonly exportBundle: () => unknown;
  readonly onError: (error: unknown) => void;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void> | void;

/** `/api/v1`: the control plane. */
export function createAdminApp(deps: AdminDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(timing);

  const guarded =
    (handler: Handler, requestOf?: (req: Request) => AccessRequest) =>
    async (req: Request, res: Response): Promise<void> => {
      const principal = await deps.perimeter.identify(req, res);
      if (!principal) return;
      if (requestOf !== undefined) {
        const decision = deps.decide(principal, requestOf(req));
        if (decision.effect === 'deny') {
          sendProblem(res, 403, decision.reason, { rule: decision.rule });
          return;
        }
      }
      await deps.bodies.during(principal.subject, req, res, async () => {
        await handler(req, res, principal);
        return true;
      });
    };
  const view = (principal: Principal): RegistryView =>
    registryView(principal, deps.catalog, deps.config(), deps.decide, deps.gatewayVersion, (id) =>
      deps.policing.resilience.view(id),
    );
  const anyone = (handler: Handler) => guarded(handler);
  const administrator = (handler: Handler) => guarded(handler, () => ({ action: 'manage' }));
  /** Administrators, and who manages the group that the route names. */
  const manager = (handler: Handler) =>
    guarded(handler, (req) => ({ action: 'manage', group: String(req.params['group']) }));

  app.get(
    '/api/v1/registry',
    anyone((_req, res, principal) => {
      res.json(view(principal));
    }),
  );
  app.get(
    '/api/v1/search',
    anyone(async (req, res, principal) => {
      const { q, limit } = searchQuerySchema.parse(req.query);
      await deps.catalog.settled(deps.catalog.servers(principal).map(({ id }) => id));
      res.json(searchResponse(deps.search(principal, q), limit));
    }),
  );
  app.get(
    '/api/v1/context',
    anyone(async (_req, res, principal) => void res.json(await deps.contextCost(principal))),
  );
  app.get(
    '/api/v1/events',
    anyone((_req, res, principal) => streamEvents(deps, res, principal)),
  );
  app.post(
    '/api/v1/registry/refresh',
    administrator(async (_req, res, principal) => {
      await deps.upstreams.refresh();
      deps.policing.resilience.reset();
      res.json(view(principal));
    }),
  );
  app.post(
    '/api/v1/calls',
    anyone((req, res, principal) => call(deps, req, res, principal)),
  );
  app.post('/api/v1/access/explain', anyone(createExplainRoute(deps)));
  const pins = createPinRoutes(deps);
  app.get('/api/v1/pins', administrator(pins.list));
  app.post('/api/v1/pins/accept', administrator(pins.accept));
  app.post('/api/v1/pins/reject', administrator(pins.reject));
  app.get(
    '/api/v1/activity',
    administrator(async (req, res) => {
      const { limit } = activityQuerySchema.parse(req.query);
      const page: ActivityPage = { calls: await deps.activity.query({ limit }) };
      res.json(page);
    }),
  );
  const tokens = createTokenRoutes(deps);
  const secrets = createSecretRoutes(deps);
  app.get('/api/v1/secrets', administrator(secrets.list));
  app.put('/api/v1/secrets/:name', administrator(secrets.set));
  app.delete('/api/v1/secrets/:name', administrator(secrets.remove));
  const credentials = createCredentialRoutes(deps);
  app.get('/api/v1/credentials', anyone(credentials.list));
  app.put('/api/v1/credentials/:group/:server', anyone(credentials.set));
  app.delete('/api/v1/credentials/:group/:server', anyone(credentials.remove));
  app.post('/api/v1/credentials/:group/:server/authorize', anyone(credentials.authorize));
  app.post('/api/v1/credentials/:group/:server/renew', anyone(credentials.renew));
  const { cache } = deps.policing;
  app.get(
    '/api/v1/cache',
    administrator((_req, res) => void res.json(cache.view())),
  );
  app.delete(
    '/api/v1/cache',
    administrator((req, res) => {
      const { server } = req.query;
      cache.forget(typeof server === 'string' ? server : undefined);
      res.status(204).end();
    }),
  );
  const limits = createLimitRoutes({ ...deps, ...deps.policing });
  app.get('/api/v1/limits', anyone(limits.list));
  app.delete('/api/v1/limits/:policy', administrator(limits.reset));
  const approvals = createApprovalRoutes({ ...deps, ...deps.policing });
  app.get('/api/v1/approvals', anyone(approvals.list));
  app.get('/api/v1/approvals/events', anyone(approvals.events));
  app.post('/api/v1/approvals/webhooks/:name', inWords(createWebhookRoute({ ...deps, ...deps.policing })));
  app.get('/api/v1/approvals/:id', anyone(approvals.get));
  app.post('/api/v1/approvals/:id/approve', anyone(approvals.approve));
  app.post('/api/v1/approvals/:id/deny', anyone(approvals.deny));
  app.get('/api/v1/approval-grants', anyone(approvals.grants));
  app.delete('/api/v1/approval-grants/:id', anyone(approvals.revoke));
  app.get('/api/v1/tokens', anyone(tokens.list));
  app.post('/api/v1/tokens', anyone(tokens.create));
  app.delete('/api/v1/tokens', anyone(tokens.revokeAll));
  app.post('/api/v1/tokens/:id/rotate', anyone(tokens.rotate));
  app.delete('/api/v1/tokens/:id', anyone(tokens.revoke));
  app.post(
    '/api/v1/export',
    administrator((_req, res) => void res.json(deps.exportBundle())),
  );
  app.get('/api/v1/presets', administrator(createPresetsRoute(deps.dispatchers)));
  const machine = { platform: process.platform, home: deps.home, env: deps.env };
  app.get('/api/v1/import/files', administrator(createImportFilesRoute(machine)));
  app.get(
    '/api/v1/guards',
    administrator((_req, res) => void res.json({ guards: guardsOf(deps.config(), deps.address) })),
  );
  app.post('/api/v1/import', administrator(createImportRoute(deps.configuration, deps.home, deps.address)));
  app.use(createConfigRoutes({ ...deps, administrator, manager }));
  app.use('/api', (req, res) => sendProblem(res, 404, `there is no ${req.method} ${req.originalUrl}`));
  app.use(problems(deps.onError));
  return app;
}

const activityQuerySchema = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(100) });
const CALL_BODY_LIMIT = 16 * 1024 * 1024;

function streamEvents(
  { catalog, policing, decide }: Pick<AdminDeps, 'catalog' | 'policing' | 'decide'>,
  res: Response,
  principal: Principal,
): void {
  const stream = openSse(res);
  let pending: NodeJS.Timeout | undefined;
  const send = (): void => {
    pending = undefined;
    const event: RegistryEvent = { type: 'registry', revision: catalog.revision() };
    void stream.send({ name: event.type, data: JSON.stringify(event) });
  };
  send();
  // A burst of changes is one event.
  const soon = (): void => {
    pending ??= setTimeout(send, 100);
  };
  const alert = ({ rule, holder, ...rest }: Alert): void => {
    const own = holder['principal'] === principal.subject;
    if (!own && decide(principal, { action: 'manage' }).effect === 'deny') return;
    const event: BudgetAlert = { type: 'budget', policy: rule, holder: { ...holder }, ...rest };
    void stream.send({ name: event.type, data: JSON.stringify(event) });
  };
  const stops = [catalog.onChange(soon), policing.resilience.onChange(soon), policing.onAlert(alert)];
  stream.signal.addEventListener('abort', () => {
    for (const stop of stops) stop();
    clearTimeout(pending);
  });
}

const STATUS: Record<RefusalReason, number> = {
  unauthenticated: 401,
  'not-found': 404,
  quarantined: 403,
  forbidden: 403,
  'invalid-arguments': 400,
  'rate-limited': 429,
  'budget-exhausted': 429,
  overloaded: 503,
  'circuit-open': 503,
  blocked: 422,
  'too-large': 413,
  'approval-required': 403,
  'approval-denied': 403,
  timeout: 504,
  cancelled: 499,
  'upstream-unavailable': 502,
  'auth-required': 403,
  'input-required': 422,
  'upstream-error': 502,
};

async function call(deps: AdminDeps, req: Request, res: Response, principal: Principal): Promise<void> {
  const began = performance.now();
  const { server, tool, arguments: args } = callRequestSchema.parse(await readJson(req, CALL_BODY_LIMIT));
  const entry = deps.catalog.server(principal, server);
  if (entry && !entry.tools.has(tool)) await deps.catalog.settled([entry.id], { afresh: true });
  if (!entry) {
    sendProblem(res, 404, `there is no server "${server}"`, { field: 'server' });
    return;
  }
  const gone = new AbortController();
  res.on('close', () => gone.abort());
  const request: Call = {
    traceId: newTraceId(),
    source: 'api',
    principal,
    target: { serverId: entry.id, kind: 'tool', name: tool },
    params: { name: tool, arguments: args },
    signal: gone.signal,
    ...readCallerWords(req.headers),
    facts: newFacts(Number(req.headers['content-length'] ?? 0)),
  };
  const outcome = await deps.pipeline.run(request);
  const { traceId } = request;
  if (!outcome.ok) {
    const { reason, message, rule, consent, approval, retryAfterMs } = outcome.refusal;
    if (retryAfterMs !== undefined) res.setHeader('retry-after', Math.ceil(retryAfterMs / 1000));
    const url = consent?.url ?? approval?.url;
    sendProblem(res, STATUS[reason], message, {
      traceId,
      ...(rule !== undefined && { rule }),
      ...(url !== undefined && { url }),
    });
    return;
  }
  const answer: CallResponse = { traceId, durationMs: performance.now() - began, result: outcome.result };
  res.json(answer);
}

/** Puts `Server-Timing` on every answer of the control plane, where all the time is the gateway's own. */
function timing(_req: Request, res: Response, next: () => void): void {
  const began = performance.now();
  const writeHead = res.writeHead.bind(res);
  res.writeHead = ((...args: Parameters<typeof writeHead>) => {
    if (!res.hasHeader('server-timing'))
      res.setHeader('server-timing', serverTiming(performance.now() - began));
    return writeHead(...args);
  }) as typeof res.writeHead;
  next();
}

function problems(onError: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, _req, res: Response, _next) => {
    if (error instanceof z.ZodError) {
      const [issue] = error.issues;
      const field = issue?.path.join('.') ?? '';
      sendProblem(res, 400, `${field === '' ? 'the body' : field}: ${issue?.message ?? 'is not valid'}`, {
        field,
      });
      return;
    }
    if (error instanceof MetadataError) {
      sendProblem(res, 400, error.message, { field: 'x-toolgate-metadata' });
      return;
    }
    const status = (error as { status?: unknown }).status;
    if (typeof status === 'number' && status >= 400 && status < 500) {
      sendProblem(res, status, (error as Error).message);
      return;
    }
    onError(error);
    sendProblem(res, 500, 'the gateway failed to answer; its log says why');
  };
}
