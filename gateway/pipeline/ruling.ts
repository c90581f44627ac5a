import { createMayApprove, type MayApprove } from '../access/approve.ts';
import type { Decide } from '../access/decide.ts';
import { createPeople } from '../access/people.ts';
import type { MatchableTool } from '../access/match.ts';
import { compilePolicies, type Policies } from '../access/policies.ts';
import type { PolicyFacts, PolicyTarget } from '../access/when.ts';
import type { Config } from '../config/schema.ts';
import { isJsonObject } from '../contract/json.ts';
import { compileGuards, type GuardDeps } from '../guardrails/compile.ts';
import type { Guard } from '../guardrails/guard.ts';
import { compileRules, type LimitRule } from '../limits/rules.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Call, CallFacts } from './call.ts';
import type { ModelCall } from './model-call.ts';
import { toolOf, wayOf } from './way.ts';

/** What policies look at of calls, under one configuration. */
export interface FactsOf {
  /** Of a call as it stands, worked out once; undefined while nobody is known to make it. */
  readonly call: (call: Call) => PolicyFacts | undefined;
  readonly model: (call: ModelCall) => PolicyFacts;
  /** Of what a server and a caller say to each other beside calls: it may be about any of the server's tools. */
  readonly aside: (principal: Principal, serverId: string) => PolicyFacts;
}

export interface RulingDeps {
  readonly catalog: Catalog;
  readonly decide: Decide;
  readonly guardDeps: GuardDeps;
  readonly now: () => number;
}

/** What is in force: replaced whole when the configuration changes. */
export interface Ruling {
  readonly policies: Policies;
  readonly facts: FactsOf;
  readonly mayApprove: MayApprove;
  readonly limitRules: readonly LimitRule[];
  /** Whether any rule counts the tokens of tools. */
  readonly countsToolTokens: boolean;
  /** The one that is asked first, first. */
  readonly guards: readonly Guard[];
  /** Whether any rule hands out large results in pages. */
  readonly paging: boolean;
}

export function createRuling(config: Config, { catalog, decide, guardDeps, now }: RulingDeps): Ruling {
  const policies = compilePolicies(config);
  const limitRules = compileRules(policies);
  return {
    policies,
    facts: createFactsOf(config, catalog, now),
    mayApprove: createMayApprove(config, decide),
    limitRules,
    guards: compileGuards(policies.guardrails, guardDeps),
    paging: policies.bounds.some(({ policy }) => policy.result.over === 'page'),
    countsToolTokens: limitRules.some(({ limits }) => limits.some(({ unit }) => unit === 'tokens')),
  };
}

const NONE = {};

function createFactsOf(config: Config, catalog: Catalog, now: () => number): FactsOf {
  const personOf = createPeople(config.subjects);
  const servers = serversOf(config);
  // By what stays the same of a call when a stage hands it on with something changed.
  const known = new WeakMap<CallFacts, { readonly of: Call; readonly seen: PolicyFacts }>();
  const targetOf = (serverId: string, tool: MatchableTool | undefined): PolicyTarget => {
    const facts = servers.get(serverId) ?? NONE;
    return { serverId, group: serverId.slice(0, serverId.indexOf(':')), tool, facts };
  };
  return {
    call: (call) => {
      if (call.principal === undefined) return undefined;
      const before = known.get(call.facts);
      if (before !== undefined && isSame(before.of, call)) return before.seen;
      const tool = toolOf(call, catalog);
      const own = targetOf(call.target.serverId, tool);
      const behind = tool?.member && targetOf(tool.member.serverId, tool.member.tool);
      const args = wayOf(call, catalog)?.params['arguments'] ?? call.params['arguments'];
      const seen: PolicyFacts = {
        person: personOf(call.principal),
        tokenId: call.principal.tokenId,
        targets: behind === undefined ? [own] : [own, behind],
        model: call.model ?? '',
        metadata: call.metadata ?? NONE,
        args: isJsonObject(args) ? args : NONE,
        at: now(),
      };
      known.set(call.facts, { of: call, seen });
      return seen;
    },
    aside: (principal, serverId) => {
      const tools = [...(catalog.entry(serverId)?.tools.values() ?? [])];
      return {
        person: personOf(principal),
        tokenId: principal.tokenId,
        // The server last: what is told of one target, as to a condition, is told of no tool.
        targets: [...tools.map((tool) => targetOf(serverId, tool)), targetOf(serverId, undefined)],
        model: '',
        metadata: NONE,
        args: NONE,
        at: now(),
      };
    },
    model: ({ principal, model, metadata }) => ({
      person: personOf(principal),
      tokenId: principal.tokenId,
      targets: [],
      model: model.id,
      metadata: metadata ?? NONE,
      args: NONE,
      at: now(),
    }),
  };
}

/** Whether two states of one call are the same to policies. */
function isSame(one: Call, other: Call): boolean {
  return one.params === other.params && one.principal === other.principal && one.own === other.own;
}

function serversOf({ groups }: Config): Map<string, PolicyTarget['facts']> {
  return new Map(
    groups.flatMap((group) =>
      group.servers.map(({ name, tags }) => {
        const id = `${group.name}:${name}`;
        return [id, { id, group: group.name, name, tags, environment: group.environment ?? '' }] as const;
      }),
    ),
  );
}
