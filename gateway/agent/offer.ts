import type { AgentRequest, OfferedTool } from '../contract/agent.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { ToolSpec } from '../models/model.ts';
import type { Directory } from '../registry/directory.ts';
import { isAvailable, type Listed, type ServerEntry } from '../registry/entry.ts';
import { AgentError } from './errors.ts';

/** A tool on offer: how the model sees it, and what it stands for. */
export interface Offered {
  readonly spec: ToolSpec;
  readonly entry: ServerEntry;
  /** The tool's own name at its server. */
  readonly tool: string;
}

export interface Offer {
  /** By the function's name. A name is looked up here, never taken apart. */
  readonly tools: ReadonlyMap<string, Offered>;
  /** The model may read on in large results. */
  readonly reads?: boolean;
  readonly omitted: readonly { readonly server: string; readonly tool: string; readonly reason: string }[];
}

interface Candidate extends Offered {
  /** Where the request names this very tool; undefined when it came with the whole server. */
  readonly param: string | undefined;
}

const MAX_NAME = 64;

/**
 * The tools a request asks for, as `model` may call them, each under a name that model APIs accept: `server__tool`, or
 * `group__server__tool` where two servers of the request share a name. A tool whose name would be too long or
 * taken is left out and named in `omitted`, but refused (400) when the request names it. A server or tool that
 * does not exist and one the caller may not use are the same error (404).
 */
export function makeOffer(
  directory: Directory,
  principal: Principal,
  servers: AgentRequest['mcp_servers'],
  model: string,
): Offer {
  const { candidates, idle } = gather(directory, principal, servers, model);
  const tools = new Map<string, Offered>();
  const omitted = [...idle];
  for (const [name, sharers] of byName(candidates)) {
    const problem = nameProblem(name, sharers.length);
    const [first] = sharers;
    if (problem === undefined && first) tools.set(name, first);
    if (problem === undefined) continue;
    const named = sharers.find((candidate) => candidate.param !== undefined);
    if (named) {
      throw new AgentError(
        `The tool "${named.tool}" of ${named.entry.fqn} cannot be offered to a model: ${problem}.`,
        {
          status: 400,
          code: 'tool_not_offerable',
          param: named.param,
        },
      );
    }
    omitted.push(...sharers.map(({ entry, tool }) => ({ server: entry.fqn, tool, reason: problem })));
  }
  return { tools, omitted };
}

function byName(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    groups.set(candidate.spec.name, [...(groups.get(candidate.spec.name) ?? []), candidate]);
  }
  return groups;
}

/** The offer as `run.created` tells it. */
export function listOffer(offer: Offer): OfferedTool[] {
  return [...offer.tools].map(([name, { entry, tool }]) => ({ function: name, server: entry.fqn, tool }));
}

function gather(
  directory: Directory,
  principal: Principal,
  servers: AgentRequest['mcp_servers'],
  model: string,
): { candidates: Candidate[]; idle: Offer['omitted'] } {
  const asked = servers.map((server, index) => ({
    server,
    index,
    entry: find(directory, principal, server.integration_fqn, index),
  }));
  const sharesName = (entry: ServerEntry): boolean =>
    asked.some((other) => other.entry.name === entry.name && other.entry.id !== entry.id);
  const candidates = new Map<string, Candidate>();
  const idle: { server: string; tool: string; reason: string }[] = [];
  for (const { server, index, entry } of asked) {
    const visible = directory.tools(principal, entry, model);
    const prefix = sharesName(entry) ? [entry.group, entry.name] : [entry.name];
    const add = (listed: Listed, param: string | undefined): void => {
      const key = JSON.stringify([entry.id, listed.name]);
      const known = candidates.get(key);
      const spec = toSpec(listed, [...prefix, listed.name]);
      candidates.set(key, { spec, entry, tool: listed.name, param: param ?? known?.param });
    };
    for (const listed of server.tools === undefined ? visible : []) add(listed, undefined);
    server.tools?.forEach(({ name }, at) => {
      const param = `mcp_servers.${index}.tools.${at}.name`;
      const listed = visible.find((tool) => tool.name === name);
      const withheld = listed === undefined ? directory.withheld(principal, entry, name) : undefined;
      if (withheld !== undefined)
        throw new AgentError(`${withheld}.`, { status: 403, code: 'tool_quarantined', param });
      if (!listed)
        throw notFound(`tool "${name}" on the server "${server.integration_fqn}"`, param, troubleOf(entry));
      add(listed, param);
    });
    const trouble = troubleOf(entry);
    if (visible.length === 0 && trouble) idle.push({ server: entry.fqn, tool: '*', reason: trouble });
  }
  return { candidates: [...candidates.values()], idle };
}

function find(directory: Directory, principal: Principal, name: string, index: number): ServerEntry {
  const entry = directory.server(principal, name);
  if (!entry) throw notFound(`MCP server "${name}"`, `mcp_servers.${index}.integration_fqn`);
  return entry;
}

function notFound(what: string, param: string, trouble?: string): AgentError {
  const message = `There is no ${what}, or this token may not use it. GET /api/v1/registry lists what it may use.${trouble ? ` ${trouble}` : ''}`;
  return new AgentError(message, { status: 404, code: 'not_found', param });
}

function troubleOf({ fqn, status }: ServerEntry): string | undefined {
  if (isAvailable(status)) return undefined;
  return `The server ${fqn} is ${status.state}${status.lastError ? `: ${status.lastError}` : ''}.`;
}

function toSpec(listed: Listed, parts: readonly string[]): ToolSpec {
  const name = parts.join('__').replace(/[^A-Za-z0-9_-]/g, '_');
  const { description } = listed;
  return {
    name,
    ...(typeof description === 'string' ? { description } : {}),
    parameters: toParameters(listed['inputSchema']),
  };
}

/** OpenAI refuses an object schema without `properties`. */
function toParameters(schema: unknown): JsonObject {
  return isJsonObject(schema)
    ? { properties: {}, ...schema, type: 'object' }
    : { type: 'object', properties: {} };
}

function nameProblem(name: string, sharers: number): string | undefined {
  if (name.length > MAX_NAME)
    return `its function name "${name}" is longer than ${MAX_NAME} characters, which model APIs refuse`;
  return sharers > 1 ? `its function name "${name}" is that of another tool of this request too` : undefined;
}
