import type { Decide } from '../access/decide.ts';
import type { ResultCache } from '../cache/result-cache.ts';
import type { KeptResults } from '../bounds/kept-results.ts';
import type { Identity } from '../identity/identity.ts';
import type { Limits } from '../limits/limits.ts';
import type { Prices } from '../limits/prices.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ActivityStore } from '../storage/contracts.ts';
import type { Resilience } from '../resilience/resilience.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { approvalStage, type ApprovalStageDeps } from './approval.ts';
import { cacheStage } from './cache.ts';
import { boundsStage } from './bounds.ts';
import type { ArgumentValidator } from './arguments.ts';
import type { Pipeline } from './call.ts';
import { resilienceStage } from './resilience.ts';
import { timeoutStage } from './timeout.ts';
import { consentStage } from './consent.ts';
import { createModelPipeline, type ModelPipeline } from './model-call.ts';
import { limitsStage, modelLimitsStage } from './limits.ts';
import { guardrailsStage, guardWhole } from './guardrails.ts';
import { modelGuardrailsStage } from './model-guardrails.ts';
import { modelRecordStage } from './model-record.ts';
import { createPipeline } from './pipeline.ts';
import type { Ruling } from './ruling.ts';
import { authenticateStage, decideStage, recordStage, upstreamStage, validateStage } from './stages.ts';

export interface OnionDeps {
  readonly activity: ActivityStore;
  readonly catalog: Catalog;
  readonly identity: Identity;
  readonly decide: Decide;
  readonly ruling: () => Ruling;
  readonly upstreams: Upstreams;
  readonly limits: Limits;
  readonly resilience: Resilience;
  readonly kept: KeptResults;
  readonly cache: ResultCache;
  readonly validator: ArgumentValidator;
  readonly approvals: Pick<ApprovalStageDeps, 'desk' | 'mask' | 'addressOf'>;
  readonly requestConsent: Parameters<typeof consentStage>[0];
  readonly now: () => number;
  readonly onBroken: (error: unknown) => void;
}

/** The order in which calls of MCP servers pass the stages, the first outermost. */
export function createOnion(deps: OnionDeps): Pipeline {
  const { activity, catalog, identity, decide, upstreams, now } = deps;
  const authenticate = authenticateStage(identity);
  const decideOn = decideStage(decide, catalog, now);
  const { validator } = deps;
  const validate = validateStage(validator, catalog);
  return createPipeline(
    [
      recordStage(activity, catalog, now),
      authenticate,
      consentStage(deps.requestConsent, catalog),
      decideOn,
      validate,
      limitsStage(deps.limits, deps.ruling),
      guardrailsStage(deps.ruling, catalog, [decideOn, validate]),
      boundsStage({
        ruling: deps.ruling,
        kept: deps.kept,
        catalog,
        validator,
        guardWhole: guardWhole(deps.ruling),
      }),
      approvalStage({
        ...deps,
        ...deps.approvals,
        judges: [authenticate, decideOn, validate],
        onError: deps.onBroken,
      }),
      cacheStage(deps.cache, deps.ruling, catalog),
      timeoutStage(deps.ruling, catalog),
      resilienceStage(deps.resilience, deps.ruling, catalog),
      upstreamStage(upstreams, catalog, [decideOn, validate]),
    ],
    deps.onBroken,
  );
}

/** The same for calls of models. */
export function createModelOnion({
  activity,
  limits,
  ruling,
  prices,
  now,
}: Pick<OnionDeps, 'activity' | 'limits' | 'ruling' | 'now'> & { readonly prices: Prices }): ModelPipeline {
  return createModelPipeline([
    modelRecordStage(activity, now),
    modelLimitsStage(limits, ruling, prices),
    modelGuardrailsStage(ruling),
  ]);
}
