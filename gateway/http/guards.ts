import { isLoopback } from '../config/listen.ts';
import type { Config } from '../config/schema.ts';
import type { Guard } from '../contract/guards.ts';
import type { OwnAddress } from './own-address.ts';

/** What stands between callers, servers and this machine, as the configuration has it. */
export function guardsOf(config: Config, address: OwnAddress): Guard[] {
  const servers = config.groups.flatMap((group) =>
    group.servers.map((server) => ({
      ...server,
      id: `${group.name}:${server.name}`,
      pinning: server.pins ?? group.pins,
    })),
  );
  const ids = (holds: (server: (typeof servers)[number]) => boolean): string[] =>
    servers.filter(holds).map(({ id }) => id);
  const everyone = config.groups.filter(({ access }) => access.use.includes('everyone'));
  const lifted = (name: string, which: readonly string[], closed: string): Guard => ({
    name,
    active: which.length === 0,
    detail: which.length === 0 ? closed : `lifted for ${which.join(', ')}`,
  });
  return [
    { name: 'tokens', active: true, detail: 'every call has a token; wrong ones are throttled by address' },
    {
      name: 'sign-in',
      active: true,
      detail: 'a cookie and the key of its page, below /api/ alone; the MCP addresses take tokens only',
    },
    transport(config),
    { name: 'host', active: true, detail: address.hosts().join(', ') },
    { name: 'origin', active: true, detail: address.origins().join(', ') },
    lifted(
      'default-deny',
      everyone.map(({ name }) => `group ${name}`),
      'no group is open to everyone',
    ),
    lifted(
      'private-addresses',
      ids(({ allowPrivateAddress }) => allowPrivateAddress),
      'no server may be at one',
    ),
    lifted(
      'pins',
      ids(({ pinning }) => pinning === 'trust'),
      'changed definitions wait for a review',
    ),
    {
      name: 'argument-validation',
      active: true,
      detail: "arguments fit the tool's schema before a server sees them",
    },
    lifted('public-registry', config.registry.public ? ['/v0.1'] : [], '/v0.1 asks for a token'),
    ...policyGuards(config),
  ];
}

/** What policies add. One that only watches stands in no call's way, and is named so. */
function policyGuards({ policies, groups }: Config): Guard[] {
  const tools = groups.flatMap(({ servers }) => servers.flatMap((server) => server.tools));
  const bounded = tools.filter(
    (rule) => Object.keys({ ...rule.arguments, ...rule.result }).length > 0,
  ).length;
  const approved = groups.filter(({ approvals }) => approvals.length > 0).map(({ name }) => `group ${name}`);
  const named = (name: string, list: readonly { readonly name: string; readonly mode: string }[]): Guard => ({
    name,
    active: list.some(({ mode }) => mode !== 'audit'),
    detail: inWords(list.map((one) => (one.mode === 'audit' ? `${one.name} (audit)` : one.name))),
  });
  const numbered = (name: string, parts: readonly string[]): Guard => ({
    name,
    active: parts.length > 0,
    detail: inWords(parts),
  });
  const off = policies.resilience.flatMap(({ breaker }, index) =>
    breaker === 'off' ? [`policies.resilience[${index}]`] : [],
  );
  return [
    named('rate-limits', policies.rateLimits),
    named('budgets', policies.budgets),
    named('guardrails', policies.guardrails),
    numbered('bounds', [
      ...(bounded === 0 ? [] : [`rules of ${bounded} tools`]),
      ...policies.bounds.map((_policy, index) => `policies.bounds[${index}]`),
    ]),
    numbered('approvals', [...approved, ...policies.approvals.map(({ name }) => name)]),
    {
      name: 'breaker',
      active: true,
      detail: off.length === 0 ? 'servers that fail are left in peace' : `off in ${off.join(', ')}`,
    },
  ];
}

function inWords(parts: readonly string[]): string {
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function transport({ listen }: Config): Guard {
  if (listen.tls === 'terminated-upstream')
    return {
      name: 'transport',
      active: true,
      detail: `TLS ends in front of ${listen.host}: keep others away from it`,
    };
  if (listen.tls !== undefined) return { name: 'transport', active: true, detail: 'TLS 1.2 or newer' };
  return { name: 'transport', active: isLoopback(listen.host), detail: 'this machine only' };
}
