import { isJsonObject, type JsonObject } from '../contract/json.ts';

/** Gives the syntax trees of the statements in a text; throws for what is no SQL of its dialect. */
export type ParseSql = (text: string) => readonly unknown[];

/** What changes tables or rights, or runs what is no SQL. */
const NEVER = new Set([
  ...[
    'drop',
    'truncate',
    'alter',
    'create',
    'rename',
    'grant',
    'revoke',
    'call',
    'exec',
    'execute',
    'do',
    'copy',
  ],
  ...['load', 'load_data', 'attach', 'detach', 'pragma', 'vacuum', 'set', 'use', 'lock', 'kill', 'shutdown'],
]);
const READS = new Set(['select', 'show', 'explain', 'desc', 'describe']);
/** What reads files, waits, or reaches out. */
const FUNCTIONS =
  /\b(?:pg_sleep|pg_read_file|pg_read_binary_file|pg_ls_dir|lo_import|lo_export|dblink\w*|load_file|sleep|benchmark|xp_\w+|sp_executesql|openrowset|load_extension)\s*\(/i;
const MAX_CHARS = 50_000;

/** Why a statement is not let through; undefined when it is. What cannot be read is not. */
export function sqlProblem(text: string, parse: ParseSql, readOnly: boolean): string | undefined {
  if (text.length > MAX_CHARS) return `a statement is over ${MAX_CHARS} characters`;
  // MySQL runs what stands in such a comment, and no parser reads it.
  if (text.includes('/*!')) return 'a comment that is run (/*! … */)';
  if (FUNCTIONS.test(text)) return 'a function that reads files, waits or reaches out';
  let trees: readonly unknown[];
  try {
    trees = parse(text);
  } catch {
    return 'it cannot be read as SQL of this dialect';
  }
  if (trees.length !== 1) return `${trees.length} statements in one text`;
  return problemIn(trees[0], readOnly);
}

/** Looks at a tree, and at every statement inside of it: a CTE or a subquery may hold one. */
function problemIn(tree: unknown, readOnly: boolean): string | undefined {
  const open: unknown[] = [tree];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next))
      for (const one of next as unknown[]) {
        if (one !== null && one !== undefined) open.push(one);
      }
    else if (isJsonObject(next)) {
      const problem = problemOf(next, readOnly);
      if (problem !== undefined) return problem;
      open.push(...Object.values(next).filter((one) => typeof one === 'object' && one !== null));
    }
  }
  return undefined;
}

function problemOf(node: JsonObject, readOnly: boolean): string | undefined {
  const { type } = node;
  if (typeof type !== 'string') return undefined;
  const kind = type.toLowerCase();
  // Other nodes have types as well: a statement is known by its parts.
  const isStatement = 'table' in node || 'from' in node || 'keyword' in node || NEVER.has(kind);
  if (!isStatement) return undefined;
  if (NEVER.has(kind)) return `${kind.toUpperCase()} is not allowed`;
  const writes = kind === 'delete' || kind === 'update' || kind === 'insert' || kind === 'replace';
  if (writes && readOnly) return `${kind.toUpperCase()} is not allowed: this may only read`;
  if ((kind === 'delete' || kind === 'update') && isAlways(node['where']))
    return `${kind.toUpperCase()} without a WHERE that narrows it`;
  const into = node['into'];
  if (kind === 'select' && isJsonObject(into) && into['position'] !== null && into['position'] !== undefined)
    return 'SELECT … INTO is not allowed';
  return readOnly && !READS.has(kind) && 'columns' in node && 'values' in node
    ? `${kind.toUpperCase()} is not allowed: this may only read`
    : undefined;
}

/** Whether a condition is none, or true of every row: `1=1`, `true`, `id = id`, or one of those OR anything. */
function isAlways(where: unknown): boolean {
  if (where === null || where === undefined) return true;
  if (!isJsonObject(where)) return false;
  if (where['type'] === 'bool' || where['type'] === 'boolean') return where['value'] === true;
  if (where['type'] === 'number') return where['value'] !== 0;
  const { operator, left, right } = where;
  if (operator === 'OR') return isAlways(left) || isAlways(right);
  if (operator === 'AND') return isAlways(left) && isAlways(right);
  if (operator === 'IS NOT') return isJsonObject(left) && left['type'] !== 'column_ref';
  if (operator === 'LIKE') return isJsonObject(right) && right['value'] === '%';
  if (operator !== '=' && operator !== '>=' && operator !== '<=' && operator !== '<>' && operator !== '!=')
    return false;
  const isSame = JSON.stringify(bare(left)) === JSON.stringify(bare(right));
  if (operator === '<>' || operator === '!=') return isConstant(left) && isConstant(right) && !isSame;
  return isSame;
}

function isConstant(node: unknown): boolean {
  return isJsonObject(node) && 'value' in node && node['type'] !== 'column_ref';
}

/** A node without where it stands. */
function bare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bare);
  if (!isJsonObject(node)) return node;
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, one]) =>
      key === 'loc' || key === 'parentheses' ? [] : [[key, bare(one)]],
    ),
  );
}
