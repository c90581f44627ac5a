import { compileMatcher, type Matcher } from '../access/match.ts';
import { namedOutright, type Pick as Picked } from '../config/virtual.ts';
import type { ToolRule } from '../config/tool-rules.ts';
import { LATEST_PROTOCOL_VERSION } from '../upstream/connection.ts';
import {
  isAvailable,
  type CatalogTool,
  type Listed,
  type Offered,
  type ServerEntry,
  type ServerStatus,
} from './entry.ts';
import { createShaper, type Resolve, type Shaper } from './shape.ts';

/** A virtual server, given the servers it is made of as they are now; undefined for one that there is not. */
export type VirtualServer = (
  member: (serverId: string) => ServerEntry | undefined,
) => Offered & { readonly status: ServerStatus };

/** A tool that was picked, under the name it gets. */
interface Candidate {
  readonly name: string;
  readonly serverId: string;
  readonly tool: CatalogTool;
  /** It waits for review: it keeps its name, and is not shown. */
  readonly held: boolean;
  /** The configuration names it, rather than finds it by a pattern. */
  readonly outright: boolean;
}

/**
 * Makes a server of tools picked from others, with `rules` of its own about them. Of tools that would have one name,
 * the one that the configuration names outright has it; where none is, all are left out, so that no server can slip
 * a tool under the name of another's. A warning names them.
 */
export function createVirtual(
  name: string,
  picks: readonly Picked[],
  rules: readonly ToolRule[],
  resolve: Resolve,
): VirtualServer {
  const compiled = picks.map((pick) => ({
    ...pick,
    matchers: pick.tools.map(compileMatcher),
    outright: new Set(namedOutright(pick).map(({ tool }) => tool)),
  }));
  const shaper = createShaper(rules, resolve);
  const members = [...new Set(picks.map(({ server }) => server))];
  let last: { readonly of: readonly (Offered['tools'] | undefined)[]; readonly offered: Offered } | undefined;
  return (member) => {
    const of = members.map((id) => member(id)?.tools);
    if (last === undefined || of.some((tools, index) => tools !== last?.of[index])) {
      const warnings: string[] = [];
      const candidates = compiled.flatMap((pick) => candidatesOf(pick, member(pick.server), warnings));
      last = { of, offered: offer(choose(candidates, warnings), shaper, warnings) };
    }
    return { ...last.offered, status: statusOf(name, members.map(member)) };
  };
}

interface CompiledPick extends Picked {
  readonly matchers: readonly Matcher[];
  readonly outright: ReadonlySet<string>;
}

/** The tools of a server that a pick means. */
function candidatesOf(
  { server, matchers, rename, outright }: CompiledPick,
  entry: ServerEntry | undefined,
  warnings: string[],
): Candidate[] {
  if (entry === undefined) return [];
  const held = entry.quarantined.tools;
  if (entry.status.listedAt !== undefined) {
    const missing = [...outright].filter((tool) => !entry.tools.has(tool) && !held.has(tool));
    warnings.push(...missing.map((tool) => `"${tool}" is picked from ${server}, which has no such tool`));
  }
  return [...entry.tools, ...held].flatMap(([shown, tool]): Candidate[] => {
    const seen = { name: shown, annotations: tool.annotations };
    if (!matchers.some((matches) => matches(seen))) return [];
    const given = Object.hasOwn(rename, shown) ? rename[shown] : undefined;
    return [
      {
        name: given ?? shown,
        serverId: server,
        tool,
        held: held.get(shown) === tool,
        outright: outright.has(shown),
      },
    ];
  });
}

/** The tools that were chosen, by their names, as the virtual server's own rules show them. */
function offer(chosen: ReadonlyMap<string, Candidate>, shaper: Shaper, warnings: readonly string[]): Offered {
  const listed = [...chosen].map(([as, { tool }]): Listed => ({ ...tool.shown, name: as }));
  const shown = shaper(listed);
  const tools = new Map<string, CatalogTool>();
  const heldTools = new Map<string, CatalogTool>();
  for (const [as, tool] of shown.tools) {
    const from = chosen.get(tool.name);
    if (from === undefined) continue;
    const member = { serverId: from.serverId, tool: from.tool };
    (from.held ? heldTools : tools).set(as, { ...tool, member });
  }
  return {
    tools,
    quarantined: { tools: heldTools, prompts: new Set() },
    warnings: [...warnings, ...shown.warnings],
    capabilities: {
      tools: [...tools.values()].map((tool) => tool.shown),
      resources: [],
      templates: [],
      prompts: [],
    },
  };
}

/** One tool for each name. */
function choose(candidates: readonly Candidate[], warnings: string[]): Map<string, Candidate> {
  const byName = new Map<string, Candidate[]>();
  for (const one of candidates) {
    const others = byName.get(one.name) ?? [];
    // The same tool may be picked twice, by a name and by a pattern.
    const same = others.findIndex(({ tool }) => tool === one.tool);
    if (same < 0) byName.set(one.name, [...others, one]);
    else if (one.outright) others[same] = one;
  }
  const chosen = new Map<string, Candidate>();
  for (const [name, sharers] of byName) {
    const outright = sharers.filter((one) => one.outright);
    const taker = sharers.length === 1 ? sharers[0] : outright.length === 1 ? outright[0] : undefined;
    if (taker !== undefined) chosen.set(name, taker);
    if (sharers.length === 1) continue;
    const servers = sharers.map(({ serverId }) => serverId).join(' and ');
    const who = taker === undefined ? 'all are left out' : `that of ${taker.serverId} has it`;
    warnings.push(`"${name}" is a tool of ${servers}: ${who}; give them names of their own with rename`);
  }
  return chosen;
}

/** A virtual server is as well as its members; what ails them is told where they are shown themselves. */
function statusOf(name: string, members: readonly (ServerEntry | undefined)[]): ServerStatus {
  const statuses = members.flatMap((member) => (member === undefined ? [] : [member.status]));
  const away = members.length - statuses.filter(isAvailable).length;
  const starting = statuses.some(
    ({ state, lastError }) => (state === 'starting' || state === 'configured') && lastError === undefined,
  );
  const listed = statuses.flatMap(({ listedAt }) => listedAt ?? []);
  const known = listed.length === members.length;
  const lastError = `${away} of the ${members.length} servers it is made of are not available`;
  return {
    state: away === 0 ? 'ready' : starting ? 'starting' : away < members.length ? 'degraded' : 'failed',
    ...(away > 0 && !starting && { lastError }),
    stderrTail: [],
    serverInfo: { name, version: '1' },
    declared: { tools: { listChanged: true } },
    ...(known && { listedAt: Math.min(...listed) }),
    ...(statuses.every(({ protocolVersion }) => protocolVersion !== undefined) && {
      protocolVersion: LATEST_PROTOCOL_VERSION,
    }),
  };
}
