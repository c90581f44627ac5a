import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';

/** What a condition can look at. A variable that is left out is not known. */
export interface Facts {
  readonly principal: Readonly<Record<string, unknown>>;
  readonly server: Readonly<Record<string, unknown>>;
  readonly tool: Readonly<Record<string, unknown>>;
  /** The group's. */
  readonly environment: string;
  /** Of a call. */
  readonly args?: Readonly<Record<string, unknown>> | undefined;
  /** `provider/model` that asks for the call; empty when no model does. */
  readonly model?: string | undefined;
  readonly now?: Date | undefined;
}

/** `unknown`: it looks at what is not known yet. `broken`: it could not be worked out, for the reason `why`. */
export type Answer =
  { readonly is: 'true' | 'false' | 'unknown' } | { readonly is: 'broken'; readonly why: string };

export type Condition = (facts: Facts) => Answer;

const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 40,
  maxListElements: 200,
  maxMapEntries: 100,
  maxCallArguments: 20,
};
/** What is known of a call alone. */
const OF_CALLS = ['args', 'model', 'now'] as const;
const MACROS: ReadonlySet<string> = new Set([
  'all',
  'exists',
  'exists_one',
  'map',
  'filter',
  'transformList',
  'transformMap',
]);

/** Makes the compiler of conditions (CEL, the Common Expression Language), which may be used for many. */
export function createConditions(): (source: string) => Condition {
  const environment = new Environment({ limits: LIMITS });
  for (const name of ['principal', 'server', 'tool', 'args']) environment.registerVariable(name, 'map');
  environment
    .registerVariable('environment', 'string')
    .registerVariable('model', 'string')
    .registerVariable('now', 'google.protobuf.Timestamp')
    // A caller chooses the text that a pattern is tried on: by backtracking it could stop the gateway.
    .registerFunction(`string.${LINEAR}(string): bool`, matchesLinearly());

  return (source) => {
    const { ast } = environment.parse(source);
    const nodes = [...walk(ast, 0)];
    const condition = environment.parse(withLinearMatches(source, nodes));
    const checked = condition.check();
    if (!checked.valid) throw new Error(checked.error?.message ?? 'its types do not fit');
    if (checked.type !== 'bool' && checked.type !== 'dyn')
      throw new Error(`it must be true or false, and is a ${String(checked.type)}`);
    const needs = OF_CALLS.filter((name) => nodes.some(({ op, args }) => op === 'id' && args === name));
    return (facts) => {
      if (needs.some((name) => facts[name] === undefined)) return { is: 'unknown' };
      try {
        const value: unknown = condition({ ...facts });
        if (value === true || value === false) return { is: value ? 'true' : 'false' };
        return { is: 'broken', why: 'it is neither true nor false' };
      } catch (error) {
        return { is: 'broken', why: firstLine(error) };
      }
    };
  };
}

const LINEAR = 'matchesLinearly';

/** The condition with each `text.matches(pattern)` turned into the one that takes linear time. */
function withLinearMatches(source: string, nodes: readonly ASTNode[]): string {
  const places = nodes
    .flatMap((node) => (node.op === 'rcall' && node.args[0] === 'matches' ? [node.args[1].end] : []))
    .sort((a, b) => b - a);
  return places.reduce((text, end) => {
    const from = text.indexOf('matches', end);
    return `${text.slice(0, from)}${LINEAR}${text.slice(from + 'matches'.length)}`;
  }, source);
}

/** Patterns are mostly written down in the condition, so that there are few. */
function matchesLinearly(): (text: string, pattern: string) => boolean {
  const compiled = new Map<string, RE2JS>();
  return (text, pattern) => {
    let expression = compiled.get(pattern);
    if (expression === undefined) {
      expression = RE2JS.compile(RE2JS.translateRegExp(pattern));
      if (compiled.size >= 100) compiled.clear();
      compiled.set(pattern, expression);
    }
    return expression.matcher(text).find();
  };
}

/** All nodes. Throws where one macro is inside another: over a caller's lists, their time would multiply. */
function* walk(node: ASTNode, macros: number): Generator<ASTNode> {
  yield node;
  const inside = node.op === 'rcall' && MACROS.has(node.args[0]) ? macros + 1 : macros;
  if (inside > 1) throw new Error('a macro (all, exists, map, filter …) inside another is not supported');
  for (const child of nodesIn(node.args)) yield* walk(child, inside);
}

function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
