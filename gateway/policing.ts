import type { Decide } from './access/decide.ts';
import { createApprovalDesk, type ApprovalDesk } from './approvals/desk.ts';
import { webhookEvent } from './approvals/event.ts';
import { createArgumentMask, visible } from './approvals/mask.ts';
import { startApprovalWebhooks } from './approvals/webhooks.ts';
import { createKeptResults, type KeptResults } from './bounds/kept-results.ts';
import { createResultCache, type ResultCache } from './cache/result-cache.ts';
import type { ApprovalWebhook } from './config/policies/approvals.ts';
import type { Config } from './config/schema.ts';
import { approvalUrl } from './contract/approvals.ts';
import type { Redactor } from './credentials/redactor.ts';
import { markOf, maskAll } from './guardrails/detect/finding.ts';
import { reveal } from './guardrails/detect/hidden-text.ts';
import { secretNamed } from './guardrails/detect/secrets-assigned.ts';
import { createSecretDetector } from './guardrails/detect/secrets.ts';
import type { Identity } from './identity/identity.ts';
import { createTextWorkers } from './guardrails/workers.ts';
import type { Alert } from './limits/alerts.ts';
import { tellOfBudget } from './limits/webhook.ts';
import { createLimits, type Limits } from './limits/limits.ts';
import { createPrices, loadKnownPrices, type Prices } from './limits/prices.ts';
import type { LimitRule } from './limits/rules.ts';
import { createAsides, type LookAside } from './pipeline/asides.ts';
import { createArgumentValidator } from './pipeline/arguments.ts';
import type { Pipeline } from './pipeline/call.ts';
import type { ModelPipeline } from './pipeline/model-call.ts';
import { createModelOnion, createOnion, type OnionDeps } from './pipeline/onion.ts';
import { createRuling } from './pipeline/ruling.ts';
import type { Catalog } from './registry/catalog.ts';
import type { ActivityStore, ApprovalStore, SharedState } from './storage/contracts.ts';
import { createResilience, type Resilience } from './resilience/resilience.ts';
import type { Log } from './telemetry/log.ts';
import type { Dispatchers } from './upstream/dispatcher.ts';
import { createFetchAnswer } from './upstream/fetch-json.ts';
import { createSignedPosts } from './upstream/signed-posts.ts';
import type { Upstreams } from './upstream/upstreams.ts';

/** The two pipelines, and what their stages share with the control plane. */
export interface Policing {
  readonly pipeline: Pipeline;
  readonly modelPipeline: ModelPipeline;
  readonly lookAside: LookAside;
  readonly approvals: ApprovalDesk;
  readonly limits: Limits;
  readonly resilience: Resilience;
  readonly cache: ResultCache;
  /** Results that are read page by page, and whether any rule asks for that. */
  readonly kept: KeptResults;
  readonly paging: () => boolean;
  readonly limitRules: () => readonly LimitRule[];
  /** Tells of budgets that are spent so far. Returns the way to stop it. */
  onAlert(listener: (alert: Alert) => void): () => void;
  readonly webhooks: () => readonly ApprovalWebhook[];
  /** Where a person decides the approval of this id. */
  readonly approvalAddress: (id: string) => string;
  /** Compiles a changed configuration, and gives the way to put it in force. Throws when it cannot be used. */
  prepare(next: Config): () => void;
  close(): Promise<void>;
}

export function createPolicing(deps: {
  readonly config: Config;
  readonly activity: ActivityStore;
  readonly catalog: Catalog;
  readonly identity: Identity;
  readonly decide: Decide;
  readonly upstreams: Upstreams;
  readonly dispatchers: Dispatchers;
  readonly redactor: Redactor;
  readonly approvalStore: ApprovalStore;
  readonly sharedState: SharedState;
  readonly requestConsent: OnionDeps['requestConsent'];
  /** Whether a run or MCP session of this id is under way, or will be. */
  readonly goesOn: (session: string) => boolean;
  readonly resolve: (text: string) => string;
  /** The gateway's own address. */
  readonly base: () => string;
  readonly log: Log;
  readonly now: () => number;
}): Policing {
  const { activity, catalog, identity, decide, upstreams, log, now } = deps;
  let { config } = deps;
  const validator = createArgumentValidator();
  const fetchAnswer = createFetchAnswer(deps.dispatchers);
  const workers = createTextWorkers();
  const guardDeps = {
    ...{ fetchAnswer, resolve: deps.resolve, now, workers },
    fits: (schema: unknown, value: unknown) => validator.check(schema, value),
  };
  const rulingDeps = { catalog, decide, guardDeps, now };
  let ruling = createRuling(config, rulingDeps);
  let prices = pricesOf(config);
  const webhooks = (): readonly ApprovalWebhook[] => config.policies.approvalWebhooks;
  const approvalAddress = (id: string): string => approvalUrl(deps.base(), id);
  // Random strings stay: whoever decides has to see which commit or object it is about.
  const secrets = createSecretDetector({ entropy: false });
  const mask = createArgumentMask({
    show: (text) => reveal(maskAll(deps.redactor.redact(text), secrets).text),
    secretOf: (name) => {
      const entity = secretNamed(name);
      return entity && markOf(entity);
    },
  });
  const desk = createApprovalDesk({
    store: deps.approvalStore,
    mayApprove: (principal, question) => ruling.mayApprove(principal, question),
    goesOn: deps.goesOn,
    show: (text) => visible(reveal(text)),
    now,
    onError: (error) => log.error({ err: error }, 'approvals could not be looked through'),
  });
  const postDeps = { resolve: deps.resolve, fetchAnswer, now };
  // A budget and a program of approvals may have one name.
  const approvalPosts = createSignedPosts(postDeps);
  const budgetPosts = createSignedPosts(postDeps);
  const stopTelling = startApprovalWebhooks({
    ...{ desk, webhooks, posts: approvalPosts },
    eventOf: (record, webhook) => webhookEvent(record, webhook, deps.base(), desk.lasts(record)),
    onFailed: (webhook, approval, error) =>
      log.warn({ webhook, approval, err: error }, 'a webhook was not told of an approval'),
  });
  const resilience = createResilience(now);
  resilience.onChange((server, circuit) =>
    log.warn({ server, circuit }, 'the circuit of a server has changed'),
  );
  const kept = createKeptResults(now);
  const cache = createResultCache(now);
  const alarms = new Set<(alert: Alert) => void>();
  const limits = createLimits(
    deps.sharedState,
    (alert) => {
      log.warn(alert, 'a budget has been spent so far');
      tellOfBudget(config.policies.budgets, alert, budgetPosts, (error) =>
        log.warn({ budget: alert.rule, err: error }, 'the webhook of a budget was not told'),
      );
      for (const listener of alarms) listener(alert);
    },
    now,
  );
  const shared = { activity, limits, kept, cache, validator, ruling: () => ruling, now };
  return {
    pipeline: createOnion({
      ...{ ...shared, catalog, identity, decide, upstreams, resilience },
      approvals: { desk, addressOf: approvalAddress, mask },
      requestConsent: deps.requestConsent,
      onBroken: (error) => log.error({ err: error }, 'a pipeline stage broke'),
    }),
    modelPipeline: createModelOnion({ ...shared, prices: { cost: (...asked) => prices.cost(...asked) } }),
    lookAside: createAsides(
      () => ruling,
      (server, { rule, effect }) =>
        log.info({ server, rule, effect }, 'a guardrail saw something beside calls'),
    ),
    approvals: desk,
    limits,
    resilience,
    cache,
    kept,
    paging: () => ruling.paging,
    limitRules: () => ruling.limitRules,
    onAlert: (listener) => {
      alarms.add(listener);
      return () => alarms.delete(listener);
    },
    webhooks,
    approvalAddress,
    prepare: (next) => {
      const prepared = createRuling(next, rulingDeps);
      return () => {
        config = next;
        ruling = prepared;
        prices = pricesOf(next);
        // Another server may be behind the same name, or the same one see other credentials.
        cache.forget(undefined);
      };
    },
    close: async () => {
      workers.close();
      stopTelling();
      desk.close();
      await Promise.all([approvalPosts.close(), budgetPosts.close()]);
    },
  };
}

function pricesOf({ models }: Config): Prices {
  const types = new Map(models.providers.map(({ name, type }) => [name, type]));
  return createPrices(models.prices, (provider) => types.get(provider), loadKnownPrices);
}
