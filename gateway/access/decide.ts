import type { Config, GroupAccess, ServerConfig } from '../config/schema.ts';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import { createConditions, type Condition, type Facts } from './condition.ts';
import { compileMatcher, type MatchableTool, type Matcher } from './match.ts';
import { compileModelAccess, type ModelAccess } from './model-access.ts';
import { createPeople, type Person } from './people.ts';
import { reachesGroup, reachesModel, reachesServer, reachesTool } from './scope.ts';

/**
 * What is known of a call when it is decided. Left out when something is listed: what depends on it is then shown to
 * whom some call could be allowed.
 */
export interface CallFacts {
  readonly args?: JsonObject;
  /** `provider/model` that asks for the call; empty when no model does. */
  readonly model?: string;
  /** Milliseconds since the epoch. */
  readonly at?: number;
}

/** What is asked for. `see` a server is to know that it exists; `use` a tool is to list and to call it. */
export type AccessRequest =
  | { readonly action: 'see'; readonly serverId: string }
  | {
      readonly action: 'use';
      readonly serverId: string;
      readonly tool: MatchableTool;
      readonly call?: CallFacts;
    }
  /** A resource, prompt or completion of a server. */
  | { readonly action: 'use'; readonly serverId: string; readonly tool?: undefined }
  /** To ask a model, `provider/model`. */
  | { readonly action: 'model'; readonly model: string }
  /** The gateway itself, or only a group's servers. */
  | { readonly action: 'manage'; readonly group?: string }
  /** To know that a group exists. */
  | { readonly action: 'enter'; readonly group: string };

export interface Decision {
  readonly effect: 'allow' | 'deny';
  /** Which rule decided: a place in the configuration, or a built-in rule's name. */
  readonly rule: string;
  readonly reason: string;
}

/** The one place where it is decided what a principal may see and call. */
export type Decide = (principal: Principal, request: AccessRequest) => Decision;

/**
 * Compiles the configuration's policy into `decide`, which is pure: the same question has the same answer, and
 * the order of rules does not matter. What no rule allows is denied. A rule that only changes how tools are shown
 * allows none. Throws where a condition cannot be used, with its place.
 */
export function createDecide(config: Config): Decide {
  const policy = compilePolicy(config);
  return (principal, request) => {
    const person = policy.personOf(principal);
    if (person.barred !== undefined) return deny(person.barred.rule, person.barred.reason);
    switch (request.action) {
      case 'manage':
        return decideManage(policy, principal, person, request.group);
      case 'enter':
        return decideGroup(policy, principal, person, request.group);
      case 'model':
        return decideModel(policy, principal, person, request.model);
      default:
        return decideServer(policy, principal, person, request);
    }
  };
}

interface Policy {
  readonly personOf: (principal: Principal) => Person;
  readonly groups: ReadonlyMap<string, CompiledGroup>;
  readonly servers: ReadonlyMap<string, CompiledServer>;
  readonly models: readonly ModelAccess[];
}

interface CompiledGroup {
  readonly access: GroupAccess;
  readonly path: string;
}

interface CompiledServer {
  readonly id: string;
  readonly group: string;
  readonly use: readonly string[] | undefined;
  readonly rules: readonly CompiledRule[];
  readonly unlisted: 'allow' | 'deny';
  readonly path: string;
  readonly environment: string;
  /** As conditions see it. */
  readonly facts: Facts['server'];
}

interface CompiledRule {
  readonly matches: Matcher;
  readonly effect: 'allow' | 'deny';
  readonly when: Condition | undefined;
  readonly path: string;
}

function compilePolicy(config: Config): Policy {
  const conditionOf = createConditions();
  const servers = new Map<string, CompiledServer>();
  const groups = new Map<string, CompiledGroup>();
  config.groups.forEach((group, groupIndex) => {
    const path = `groups[${groupIndex}]`;
    groups.set(group.name, { access: group.access, path: `${path}.access` });
    group.servers.forEach((server, serverIndex) => {
      const id = `${group.name}:${server.name}`;
      servers.set(id, {
        id,
        group: group.name,
        use: server.access?.use,
        rules: compileRules(server, `${path}.servers[${serverIndex}]`, conditionOf),
        unlisted: server.unlistedTools,
        path: `${path}.servers[${serverIndex}]`,
        environment: group.environment ?? '',
        facts: {
          id,
          group: group.name,
          name: server.name,
          tags: server.tags,
          environment: group.environment ?? '',
        },
      });
    });
  });
  return {
    personOf: createPeople(config.subjects),
    groups,
    servers,
    models: compileModelAccess(config.models.access),
  };
}

function compileRules(
  { tools }: ServerConfig,
  path: string,
  conditionOf: (source: string) => Condition,
): CompiledRule[] {
  return tools.flatMap(({ match, effect, when }, index) => {
    if (effect === undefined) return [];
    const place = `${path}.tools[${index}]`;
    return [
      { matches: compileMatcher(match), effect, when: compileWhen(when, place, conditionOf), path: place },
    ];
  });
}

function compileWhen(
  when: string | undefined,
  place: string,
  conditionOf: (source: string) => Condition,
): Condition | undefined {
  if (when === undefined) return undefined;
  try {
    return conditionOf(when);
  } catch (error) {
    throw new Error(`${place}.when: ${(error as Error).message}`, { cause: error });
  }
}

function decideGroup({ groups }: Policy, { scope }: Principal, person: Person, name: string): Decision {
  const group = groups.get(name);
  if (group === undefined) return deny('no-such-group', `there is no group ${name}`);
  if (!reachesGroup(scope, name))
    return deny('token-scope', `the token is narrowed to others than the group ${name}`);
  const { access, path } = group;
  const { subject } = person;
  if (person.administrator) return allow('subjects.administrators', `${subject} is an administrator`);
  if (names(person, access.use)) return allow(`${path}.use`, `the group ${name} is open to ${subject}`);
  return names(person, access.manage)
    ? allow(`${path}.manage`, `${subject} manages the group ${name}`)
    : deny(`${path}.use`, `the group ${name} is not open to ${subject}`);
}

function decideServer(
  policy: Policy,
  principal: Principal,
  person: Person,
  request: Extract<AccessRequest, { action: 'see' | 'use' }>,
): Decision {
  const server = policy.servers.get(request.serverId);
  if (server === undefined) return deny('no-such-server', `there is no server ${request.serverId}`);
  const entered = decideGroup(policy, principal, person, server.group);
  if (entered.effect === 'deny') return entered;
  const { scope } = principal;
  if (!reachesServer(scope, server.id))
    return deny('token-scope', `the token is narrowed to others than the server ${server.id}`);
  if (server.use !== undefined && !person.administrator && !names(person, server.use))
    return deny(`${server.path}.access.use`, `the server ${server.id} is not open to ${person.subject}`);
  if (request.action === 'see') return entered;
  if (request.tool === undefined) {
    return scope.tools === null
      ? entered
      : deny('token-scope', 'the token is narrowed to tools, and this is none');
  }
  if (!reachesTool(scope, server.id, request.tool.name))
    return deny('token-scope', `the token is narrowed to others than the tool ${request.tool.name}`);
  const call = request.call ?? {};
  const narrowing = modelDenies(policy, server.id, request.tool, call.model);
  return narrowing ?? decideTool(policy, server, request.tool, person, call);
}

/**
 * A virtual server's tool needs both servers' rules: what a member denies stays denied. Whom the member's group is open
 * to does not matter, since that is what a virtual server is for.
 */
function decideTool(
  policy: Policy,
  server: CompiledServer,
  tool: MatchableTool,
  person: Person,
  call: CallFacts,
): Decision {
  const decision = decideByRules(server, tool, person, call);
  const { member } = tool;
  if (decision.effect === 'deny' || member === undefined) return decision;
  const behind = policy.servers.get(member.serverId);
  if (behind === undefined) return deny('no-such-server', `there is no server ${member.serverId}`);
  const narrowing = modelDenies(policy, behind.id, member.tool, call.model);
  const inner = narrowing ?? decideTool(policy, behind, member.tool, person, call);
  return inner.effect === 'deny' ? inner : decision;
}

/**
 * A tool that an allowing rule names needs one whose condition holds. A denying rule whose condition cannot be worked
 * out denies; an allowing one does not allow.
 */
function decideByRules(
  server: CompiledServer,
  tool: MatchableTool,
  person: Person,
  call: CallFacts,
): Decision {
  let allowing: Decision | undefined;
  let failing: Decision | undefined;
  for (const rule of server.rules) {
    if (!rule.matches(tool)) continue;
    const answer = rule.when?.(factsOf(server, tool, person, call)) ?? { is: 'true' };
    const why = answer.is === 'broken' ? `, since its condition is broken (${answer.why})` : '';
    if (rule.effect === 'deny') {
      if (answer.is === 'true' || answer.is === 'broken')
        return deny(rule.path, `the rule denies ${tool.name}${why}`);
    } else if (answer.is === 'true' || answer.is === 'unknown') {
      allowing ??= allow(rule.path, `the rule allows ${tool.name}`);
    } else {
      failing ??= deny(rule.path, `the rule does not allow ${tool.name} as it is called${why}`);
    }
  }
  const path = `${server.path}.unlistedTools`;
  return (
    allowing ??
    failing ??
    (server.unlisted === 'allow'
      ? allow(path, 'no rule matches, and unlisted tools are allowed')
      : deny(path, `no rule allows ${tool.name}, and unlisted tools are denied`))
  );
}

function factsOf(server: CompiledServer, tool: MatchableTool, person: Person, call: CallFacts): Facts {
  return {
    principal: person.facts,
    server: server.facts,
    tool: { name: tool.name, ...tool.annotations },
    environment: server.environment,
    args: call.args,
    model: call.model,
    now: call.at === undefined ? undefined : new Date(call.at),
  };
}

/** Set when the model that asks for the call may not call the tool. */
function modelDenies(
  { models }: Policy,
  serverId: string,
  tool: MatchableTool,
  model: string | undefined,
): Decision | undefined {
  if (model === undefined || model === '') return undefined;
  const narrowing = models.find((entry) => entry.models(model) && entry.tools?.(serverId, tool) === false);
  return narrowing && deny(`${narrowing.path}.tools`, `the model ${model} does not call ${tool.name}`);
}

function decideModel({ models }: Policy, { scope }: Principal, person: Person, model: string): Decision {
  if (!reachesModel(scope, model))
    return deny('token-scope', `the token is narrowed to others than ${model}`);
  if (person.administrator) return allow('subjects.administrators', `${person.subject} is an administrator`);
  const open = models.find((entry) => entry.models(model) && names(person, entry.use));
  return open === undefined
    ? deny('models.access', `no rule opens the model ${model} to ${person.subject}`)
    : allow(open.path, `the model ${model} is open to ${person.subject}`);
}

function decideManage(
  policy: Policy,
  principal: Principal,
  person: Person,
  name: string | undefined,
): Decision {
  const { scope } = principal;
  const { subject } = person;
  if (scope.servers !== null || scope.tools !== null || scope.models !== null)
    return deny('token-scope', 'a token narrowed to servers, tools or models does not manage');
  const group = name === undefined ? undefined : policy.groups.get(name);
  if (
    group !== undefined &&
    name !== undefined &&
    names(person, group.access.manage) &&
    reachesGroup(scope, name)
  )
    return allow(`${group.path}.manage`, `${subject} manages the group ${name}`);
  if (!person.administrator || !principal.administrator) {
    const entered = name === undefined ? undefined : decideGroup(policy, principal, person, name);
    if (entered?.effect === 'deny') return entered;
    return deny('administrator', `${subject} is not an administrator, or not with this token`);
  }
  if (scope.groups !== null) return deny('token-scope', 'a token narrowed to groups does not administer');
  return allow('subjects.administrators', `${subject} is an administrator`);
}

function names(person: Person, grantees: readonly string[]): boolean {
  return grantees.some((grantee) => person.names.has(grantee));
}

function allow(rule: string, reason: string): Decision {
  return { effect: 'allow', rule, reason };
}

function deny(rule: string, reason: string): Decision {
  return { effect: 'deny', rule, reason };
}
