import type { Config, GroupAccess, ServerConfig } from '../config/schema.ts';
import type { Principal } from '../identity/principal.ts';
import { compileMatcher, type MatchableTool, type Matcher } from './match.ts';

/** What is asked for. `see` a server is to know that it exists; `use` a tool is to list and to call it. */
export type AccessRequest =
  | { readonly action: 'see'; readonly serverId: string }
  | { readonly action: 'use'; readonly serverId: string; readonly tool: MatchableTool }
  /** A resource, prompt or completion of a server. */
  | { readonly action: 'use'; readonly serverId: string; readonly tool?: undefined }
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
 * allows none.
 */
export function createDecide(config: Config): Decide {
  const servers = new Map<string, CompiledServer>();
  const groups = new Map<string, CompiledGroup>();
  config.groups.forEach((group, groupIndex) => {
    groups.set(group.name, { access: group.access, path: `groups[${groupIndex}].access` });
    group.servers.forEach((server, serverIndex) => {
      const path = `groups[${groupIndex}].servers[${serverIndex}]`;
      servers.set(`${group.name}:${server.name}`, compileServer(group.name, server, path));
    });
  });

  return (principal, request) => {
    if (request.action === 'manage') return decideManage(principal, groups, request.group);
    if (request.action === 'enter') return decideGroup(principal, groups, request.group);
    const server = servers.get(request.serverId);
    if (server === undefined) return deny('no-such-server', `there is no server ${request.serverId}`);
    const entered = decideGroup(principal, groups, server.group);
    if (entered.effect === 'allow' && request.action === 'use' && request.tool !== undefined)
      return decideTool(servers, server, request.tool);
    return entered;
  };
}

interface CompiledGroup {
  readonly access: GroupAccess | undefined;
  readonly path: string;
}

type Groups = ReadonlyMap<string, CompiledGroup>;

function decideGroup(principal: Principal, groups: Groups, name: string): Decision {
  const group = groups.get(name);
  if (group === undefined) return deny('no-such-group', `there is no group ${name}`);
  if (principal.groups !== null && !principal.groups.includes(name))
    return deny('token-groups', `the token is narrowed to other groups than ${name}`);
  const { access, path } = group;
  if (access === undefined) return allow('token-groups', `the token reaches the group ${name}`);
  const { subject, administrator } = principal;
  if (administrator) return allow('administrator', `${subject} is an administrator`);
  if (access.use.includes('everyone') || access.use.includes(subject))
    return allow(`${path}.use`, `the group ${name} is open to ${subject}`);
  return isManager(principal, access)
    ? allow(`${path}.manage`, `${subject} manages the group ${name}`)
    : deny(`${path}.use`, `the group ${name} is not open to ${subject}`);
}

function isManager({ subject }: Principal, { manage }: GroupAccess): boolean {
  return manage.includes(subject);
}

interface CompiledRule {
  readonly matches: Matcher;
  readonly effect: 'allow' | 'deny';
  readonly path: string;
}

interface CompiledServer {
  readonly group: string;
  readonly rules: readonly CompiledRule[];
  readonly unlisted: 'allow' | 'deny';
  readonly path: string;
}

function compileServer(group: string, server: ServerConfig, path: string): CompiledServer {
  const rules = server.tools.flatMap(({ match, effect }, index) =>
    effect === undefined ? [] : [{ matches: compileMatcher(match), effect, path: `${path}.tools[${index}]` }],
  );
  return { group, rules, unlisted: server.unlistedTools, path };
}

/**
 * A virtual server's tool needs both servers' rules: what a member denies stays denied. Whom the member's group is open
 * to does not matter, since that is what a virtual server is for.
 */
function decideTool(
  servers: ReadonlyMap<string, CompiledServer>,
  server: CompiledServer,
  tool: MatchableTool,
): Decision {
  const decision = decideByRules(server, tool);
  const { member } = tool;
  if (decision.effect === 'deny' || member === undefined) return decision;
  const behind = servers.get(member.serverId);
  if (behind === undefined) return deny('no-such-server', `there is no server ${member.serverId}`);
  const inner = decideTool(servers, behind, member.tool);
  return inner.effect === 'deny' ? inner : decision;
}

function decideByRules(server: CompiledServer, tool: MatchableTool): Decision {
  const matching = server.rules.filter((rule) => rule.matches(tool));
  const denying = matching.find((rule) => rule.effect === 'deny');
  if (denying !== undefined) return deny(denying.path, `the rule denies ${tool.name}`);
  const allowing = matching[0];
  if (allowing !== undefined) return allow(allowing.path, `the rule allows ${tool.name}`);
  const path = `${server.path}.unlistedTools`;
  return server.unlisted === 'allow'
    ? allow(path, 'no rule matches, and unlisted tools are allowed')
    : deny(path, `no rule allows ${tool.name}, and unlisted tools are denied`);
}

function decideManage(principal: Principal, groups: Groups, name: string | undefined): Decision {
  const group = name === undefined ? undefined : groups.get(name);
  if (!principal.administrator && name !== undefined && group?.access !== undefined) {
    const entered = decideGroup(principal, groups, name);
    if (entered.effect === 'deny') return entered;
    if (isManager(principal, group.access))
      return allow(`${group.path}.manage`, `${principal.subject} manages the group ${name}`);
  }
  if (!principal.administrator) return deny('administrator', `${principal.subject} is not an administrator`);
  if (principal.groups !== null)
    return deny('token-groups', 'a token narrowed to groups does not administer');
  return allow('administrator', `${principal.subject} is an administrator`);
}

function allow(rule: string, reason: string): Decision {
  return { effect: 'allow', rule, reason };
}

function deny(rule: string, reason: string): Decision {
  return { effect: 'deny', rule, reason };
}
