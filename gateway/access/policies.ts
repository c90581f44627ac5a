import type { When } from '../config/policies/when.ts';
import type { ApprovalTerms } from '../config/policies/approvals.ts';
import type { ResiliencePolicy } from '../config/policies/resilience.ts';
import { compilePatterns, type CompiledPattern } from './patterns.ts';
import type { CachePolicy } from '../config/policies/cache.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { BoundsPolicy } from '../config/policies/bounds.ts';
import type { Budget, RateLimit } from '../config/policies/limits.ts';
import type { Config, GroupConfig } from '../config/schema.ts';
import { createConditions, type Condition } from './condition.ts';
import { compileMatcher } from './match.ts';
import { createDecide } from './decide.ts';
import { compileTools, compileWhen, type Applies } from './when.ts';

/** A policy, and which calls it is about. */
export interface Compiled<Policy> {
  readonly policy: Policy;
  readonly applies: Applies;
  /** Its place in the configuration: `policies.rateLimits[0]`. */
  readonly path: string;
}

/** A guardrail, with what of it can be compiled beforehand. */
export interface GuardrailPolicy extends Compiled<GuardrailConfig> {
  readonly denies?: Condition;
  readonly patterns?: readonly CompiledPattern[];
}

/** Calls that somebody has to approve first. */
export interface ApprovalPolicy extends Compiled<ApprovalTerms> {
  /**
   * Whose policy it is, `undefined` for those of `policies.approvals`. Of the policies of one group, and of those of
   * none, the first that is about a call counts; each has a word of its own.
   */
  readonly group: string | undefined;
}

/** The configuration's policies, in its order. */
export interface Policies {
  readonly cache: readonly Compiled<CachePolicy>[];
  /** The one that is asked first, first. */
  readonly guardrails: readonly GuardrailPolicy[];
  /** Of tools' rules, and those that are about any call. */
  readonly bounds: readonly Compiled<BoundsPolicy>[];
  readonly resilience: readonly Compiled<ResiliencePolicy>[];
  readonly rateLimits: readonly Compiled<RateLimit>[];
  readonly budgets: readonly Compiled<Budget>[];
  /** Of groups, and those that are about any call. */
  readonly approvals: readonly ApprovalPolicy[];
}

/** Throws where a condition cannot be used, with its place. */
export function compilePolicies(config: Config): Policies {
  const conditionOf = createConditions();
  const { policies } = config;
  return {
    cache: compileSection(policies.cache, 'policies.cache', conditionOf),
    guardrails: compileGuardrails(policies.guardrails, conditionOf),
    bounds: [
      ...config.groups.flatMap(compileToolBounds),
      ...compileSection(policies.bounds, 'policies.bounds', conditionOf),
    ],
    resilience: compileSection(policies.resilience, 'policies.resilience', conditionOf),
    rateLimits: compileSection(policies.rateLimits, 'policies.rateLimits', conditionOf),
    budgets: compileSection(policies.budgets, 'policies.budgets', conditionOf),
    approvals: [
      ...config.groups.flatMap((group, index) => compileGroupApprovals(group, index, conditionOf)),
      ...compileSection(policies.approvals, 'policies.approvals', conditionOf).map((one) => ({
        ...one,
        group: undefined,
      })),
    ],
  };
}

function compileGuardrails(
  guardrails: readonly GuardrailConfig[],
  conditionOf: (source: string) => Condition,
): GuardrailPolicy[] {
  return compileSection(guardrails, 'policies.guardrails', conditionOf)
    .map((one): GuardrailPolicy => {
      const { policy, path } = one;
      try {
        return {
          ...one,
          ...(policy.kind === 'cel' && { denies: conditionOf(policy.deny) }),
          ...(policy.kind === 'regex' && { patterns: compilePatterns(policy.patterns) }),
        };
      } catch (error) {
        throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
      }
    })
    .toSorted((a, b) => a.policy.priority - b.policy.priority);
}

function compileToolBounds({ name, servers }: GroupConfig, groupIndex: number): Compiled<BoundsPolicy>[] {
  return servers.flatMap((server, serverIndex) =>
    server.tools.flatMap(({ match, arguments: args = {}, result = {} }, index) => {
      if (Object.keys(args).length + Object.keys(result).length === 0) return [];
      const meant = compileMatcher(match);
      const serverId = `${name}:${server.name}`;
      const applies: Applies = ({ targets }) =>
        targets.some(
          (target) => target.serverId === serverId && target.tool !== undefined && meant(target.tool),
        );
      const path = `groups[${groupIndex}].servers[${serverIndex}].tools[${index}]`;
      return [{ policy: { when: {}, arguments: args, result }, applies, path }];
    }),
  );
}

function compileGroupApprovals(
  { name, approvals }: GroupConfig,
  groupIndex: number,
  conditionOf: (source: string) => Condition,
): ApprovalPolicy[] {
  return approvals.map((policy, index) => {
    const path = `groups[${groupIndex}].approvals[${index}]`;
    const meant = compileTools(policy.tools);
    const when = policy.when === undefined ? {} : { condition: policy.when };
    const holds = compileWhen(when, path, conditionOf);
    const applies: Applies = (facts) =>
      facts.targets.some((target) => target.group === name && meant(target)) && holds(facts);
    return { policy, applies, path, group: name };
  });
}

/** Throws where the configuration is right by its schema and its policy cannot be used all the same. */
export function checkPolicy(config: Config): void {
  createDecide(config);
  compilePolicies(config);
}

/** Compiles the policies of one section, `path` (`policies.rateLimits`). */
export function compileSection<Policy extends { readonly when?: When | undefined }>(
  policies: readonly Policy[],
  path: string,
  conditionOf: (source: string) => Condition,
): Compiled<Policy>[] {
  return policies.map((policy, index) => {
    const place = `${path}[${index}]`;
    return { policy, applies: compileWhen(policy.when ?? {}, place, conditionOf), path: place };
  });
}
