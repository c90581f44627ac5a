import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { READ_RESULT } from '../contract/read-result.ts';
import type { Principal } from '../identity/principal.ts';
import type { Listed } from '../registry/entry.ts';
import { searchResponse, type Search } from '../registry/search.ts';
import { CODES, type RpcError } from './jsonrpc.ts';
import type { Discovered, View, Views } from './scope.ts';

const searchSchema = z.strictObject({
  query: z.string().trim().min(1).max(200).describe('What the tool should do, in a few words'),
  limit: z.int().min(1).max(20).default(5).describe('How many tools to return'),
});
const describeSchema = z.strictObject({ name: z.string().describe('As search_tools returned it') });
const callSchema = z.strictObject({
  name: z.string().describe('As search_tools returned it'),
  arguments: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('What the inputSchema of describe_tool asks for'),
});

/** The whole list of a discovery address: the same for everybody, whatever is registered. */
const TOOLS: readonly Listed[] = [
  {
    name: 'search_tools',
    title: 'Search tools',
    description: 'Finds the tools that fit a task, the best first. Start here.',
    inputSchema: jsonSchema(searchSchema),
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'describe_tool',
    title: 'Describe a tool',
    description:
      'Returns the full description of a tool with its inputSchema. Do this before the first call.',
    inputSchema: jsonSchema(describeSchema),
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'call_tool',
    title: 'Call a tool',
    description: 'Calls a tool and returns its result.',
    inputSchema: jsonSchema(callSchema),
    annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: true },
  },
];
const PAYLOAD = JSON.stringify({ tools: TOOLS });

/**
 * Views of discovery addresses: those of the plain address, with three stable tools in place of all tools, so that
 * an agent finds what it needs without every definition in its context. They lead to what the plain view holds and
 * nothing else; what is called through them goes the way of every call.
 */
export function withDiscovery(views: Views, search: Search): Views {
  const made = new WeakMap<View, View>();
  return (principal, scope, offered) => {
    if (scope.discovery !== true) return views(principal, scope, offered);
    const { discovery: _mode, ...plain } = scope;
    const view = views(principal, plain);
    if (view === undefined) return undefined;
    let discovery = made.get(view);
    if (discovery === undefined) made.set(view, (discovery = discoveryView(view, principal, search)));
    return discovery;
  };
}

function discoveryView(view: View, principal: Principal, search: Search): View {
  return {
    ...view,
    tools: TOOLS,
    payloads: { ...view.payloads, 'tools/list': PAYLOAD },
    discover: (params) => {
      const given = params['arguments'] ?? {};
      switch (params['name']) {
        case 'search_tools':
          return withArguments(searchSchema, given, ({ query, limit }) => ({
            result: found(view, search(principal, query), limit),
          }));
        case 'describe_tool':
          return withArguments(describeSchema, given, ({ name }) => {
            const tool = view.tools.find((item) => item.name === name);
            return tool === undefined ? unknown(name) : { result: toResult(tool) };
          });
        case 'call_tool':
          return withArguments(callSchema, given, (asked) =>
            view.tool(asked.name) === undefined && !(asked.name === READ_RESULT && view.read !== undefined)
              ? unknown(asked.name)
              : { params: { ...params, ...asked } },
          );
        default:
          return unknown(String(params['name']));
      }
    },
  };
}

/** The tools of the view among what was found, by their names in the view. */
function found(view: View, all: ReturnType<Search>, limit: number): JsonObject {
  const names = new Map<string, string>();
  for (const { name } of view.tools) {
    const target = view.tool(name);
    if (target !== undefined) names.set(JSON.stringify([target.serverId, target.name]), name);
  }
  const fitting = all.flatMap(({ item, score }) => {
    const name = names.get(JSON.stringify([item.entry.id, item.item.name]));
    return item.kind !== 'tool' || name === undefined
      ? []
      : [{ item: { ...item, item: { ...item.item, name } }, score }];
  });
  const { total, hits } = searchResponse(fitting, limit);
  const tools = hits.map(({ name, title, description }) => ({
    name,
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
  }));
  if (total > 0) return toResult({ total, tools });
  // Where the words were not the right ones, it helps to know what there is.
  const servers = view.entries.map(({ name, config }) => ({ name, description: config.description ?? '' }));
  return toResult({ total, tools, servers });
}

function withArguments<T>(schema: z.ZodType<T>, given: unknown, work: (parsed: T) => Discovered): Discovered {
  const parsed = schema.safeParse(given);
  if (parsed.success) return work(parsed.data);
  const text = z.prettifyError(parsed.error);
  return { result: { content: [{ type: 'text', text }], isError: true } };
}

function unknown(name: string): RpcError {
  return {
    code: CODES.invalidParams,
    message: `Unknown tool: ${name}; search_tools finds the names of tools`,
  };
}

function toResult(structuredContent: JsonObject): JsonObject {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
}

function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return isJsonObject(rest) ? rest : {};
}
