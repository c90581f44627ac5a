import { compileMatcher, type Matcher } from '../access/match.ts';
import { resolveWithin } from '../config/references.ts';
import { isExact, type ToolRule } from '../config/tool-rules.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { toolAnnotationsSchema, type ToolAnnotations } from '../contract/registry.ts';
import { visible } from '../guardrails/definition.ts';
import type { CatalogTool, Listed, ShownTools } from './entry.ts';

/** Makes of the tools that a server lists those that the gateway shows. */
export type Shaper = (listed: readonly Listed[]) => ShownTools;

/** Gives a text with its references resolved; throws for one that has no value. */
export type Resolve = (text: string) => string;

interface CompiledRule extends Omit<ToolRule, 'fixed'> {
  readonly matches: Matcher;
  /** References resolved; a text instead says which of them has no value. */
  readonly fixed: JsonObject | string;
}

const NONE: JsonObject = {};

/**
 * Compiles the overrides among a server's rules. Every tool is shown under one name, and each name leads to one tool:
 * where a renamed tool takes the name of another, the other is left out; a warning names both. A tool with a fixed
 * argument whose reference has no value is left out as well.
 */
export function createShaper(rules: readonly ToolRule[], resolve: Resolve): Shaper {
  const overrides = rules.map((rule): CompiledRule => ({
    ...rule,
    matches: compileMatcher(rule.match),
    fixed: resolveFixed(rule.fixed, resolve),
  }));
  const denied = new Set(
    rules.filter(({ effect, match }) => effect === 'deny' && isExact(match)).map(({ match }) => match),
  );
  return (given) => {
    const warnings: string[] = [];
    const listed = given.map((own) => {
      const shown = visible(own);
      if (shown !== own) warnings.push(shownWarning(own));
      return shown;
    });
    const tools = new Map<string, CatalogTool>();
    const shaped = listed.flatMap((own) => shape(own, overrides, warnings) ?? []);
    const renamed = new Map(
      shaped.filter(({ name, shown }) => name !== shown.name).map((tool) => [tool.shown.name, tool]),
    );
    for (const tool of shaped) {
      const taker = renamed.get(tool.shown.name);
      if (taker === undefined || taker === tool) tools.set(tool.shown.name, tool);
      else if (!denied.has(tool.name)) {
        warnings.push(
          `"${tool.name}" is left out: the configuration gives its name to "${taker.name}"; rename one of the two`,
        );
      }
    }
    return { tools, warnings };
  };
}

/** Says that a tool or prompt is shown otherwise than its server said it. */
export function shownWarning({ name }: Listed): string {
  return `"${name}" has text in its definition that nobody sees; it is shown as [U+…] and [hidden: …]`;
}

function resolveFixed(fixed: JsonObject, resolve: Resolve): JsonObject | string {
  try {
    return resolveWithin(fixed, resolve) as JsonObject;
  } catch (error) {
    return (error as Error).message;
  }
}

function shape(own: Listed, rules: readonly CompiledRule[], warnings: string[]): CatalogTool | undefined {
  const said = plain(own);
  const matching = rules.filter(({ matches }) => matches(said));
  const first = <T>(read: (rule: CompiledRule) => T | undefined): T | undefined =>
    matching.map(read).find((value) => value !== undefined);
  // Of several rules the first counts, and so it is spread last.
  const merged = <T extends object>(read: (rule: CompiledRule) => T): T =>
    Object.assign({}, ...matching.map(read).reverse()) as T;
  const problem = first((rule) => (typeof rule.fixed === 'string' ? rule.fixed : undefined));
  if (problem !== undefined) {
    warnings.push(`"${own.name}" is left out: ${problem}`);
    return undefined;
  }
  const fixed = merged((rule) => (typeof rule.fixed === 'string' ? NONE : rule.fixed));
  const defaults = without(
    merged(({ defaults }) => defaults),
    fixed,
  );
  const annotations = merged(({ annotations }) => annotations);
  const given = {
    name: first(({ rename }) => rename),
    title: first(({ title }) => title),
    description: first(({ description }) => description),
    annotations: Object.keys(annotations).length === 0 ? undefined : { ...said.annotations, ...annotations },
    inputSchema:
      isEmpty(fixed) && isEmpty(defaults) ? undefined : shownSchema(own['inputSchema'], fixed, defaults),
  };
  const changes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (isEmpty(changes)) return { ...said, own, shown: own, fixed: NONE, defaults: NONE };
  const unknown = [...Object.keys(fixed), ...Object.keys(defaults)].filter((name) => !takes(own, name));
  warnings.push(
    ...unknown.map((name) => `the configuration sets "${name}" of "${own.name}", which has no such argument`),
  );
  return {
    name: own.name,
    annotations: given.annotations ?? said.annotations,
    own,
    shown: { ...own, ...changes },
    fixed: isEmpty(fixed) ? NONE : fixed,
    defaults: isEmpty(defaults) ? NONE : defaults,
  };
}

/** What rules look at of a tool as its server lists it; annotations that are none are like none at all. */
function plain(own: Listed): { name: string; annotations: ToolAnnotations | undefined } {
  return { name: own.name, annotations: toolAnnotationsSchema.safeParse(own['annotations']).data };
}

/** The schema of what the caller gives: without what is fixed, and with what has a default left to its choice. */
function shownSchema(schema: unknown, fixed: JsonObject, defaults: JsonObject): unknown {
  if (!isJsonObject(schema)) return schema;
  const shown: Record<string, unknown> = { ...schema };
  const { properties, required } = schema;
  if (isJsonObject(properties)) {
    shown['properties'] = Object.fromEntries(
      Object.entries(without(properties, fixed)).map(([name, property]) => [
        name,
        Object.hasOwn(defaults, name) && isJsonObject(property)
          ? { ...property, default: defaults[name] }
          : property,
      ]),
    );
  }
  if (Array.isArray(required)) {
    const left = required.filter(
      (name: unknown) => !Object.hasOwn(fixed, String(name)) && !Object.hasOwn(defaults, String(name)),
    );
    if (left.length > 0) shown['required'] = left;
    else delete shown['required'];
  }
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const branches = schema[key];
    if (Array.isArray(branches)) shown[key] = branches.map((branch) => shownSchema(branch, fixed, defaults));
  }
  return shown;
}

/** Whether a tool's schema speaks of an argument. */
function takes({ inputSchema }: Listed, name: string): boolean {
  const properties = isJsonObject(inputSchema) ? inputSchema['properties'] : undefined;
  return isJsonObject(properties) && Object.hasOwn(properties, name);
}

function without(values: JsonObject, names: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !Object.hasOwn(names, name)));
}

function isEmpty(values: object): boolean {
  return Object.keys(values).length === 0;
}

/** What a call comes to at the server that has the tool, or the fixed argument that the caller gave all the same. */
export type Sent =
  | { readonly serverId: string; readonly tool: CatalogTool; readonly arguments: JsonObject }
  | { readonly taken: string };

/** Turns what a caller gives to a tool of a server into what is sent, through a virtual server to the one behind it. */
export function toSent(serverId: string, tool: CatalogTool, given: JsonObject): Sent {
  const taken =
    tool.fixed === NONE ? undefined : Object.keys(tool.fixed).find((name) => Object.hasOwn(given, name));
  if (taken !== undefined) return { taken };
  const plain = tool.fixed === NONE && tool.defaults === NONE;
  const sent = plain ? given : { ...tool.defaults, ...given, ...tool.fixed };
  const { member } = tool;
  return member === undefined
    ? { serverId, tool, arguments: sent }
    : toSent(member.serverId, member.tool, sent);
}
