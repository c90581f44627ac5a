import type { ToolAnnotations } from '../contract/registry.ts';
import { isSelector, SELECTOR_NAMES, type SelectorName } from '../contract/selectors.ts';

/** What a rule may look at of a tool. */
export interface MatchableTool {
  /** The server's own name of it. */
  readonly name: string;
  /** As they are shown: what the configuration says of them counts more than what the server says. */
  readonly annotations?: ToolAnnotations | undefined;
  /** Of a virtual server's tool: the tool it stands for, whose server's rules hold as well. */
  readonly member?: { readonly serverId: string; readonly tool: MatchableTool };
}

/** Says whether a tool is meant. */
export type Matcher = (tool: MatchableTool) => boolean;

/**
 * The selectors of the configuration language. The hints' defaults are the MCP specification's: without
 * `readOnlyHint` a tool may write, and what may write is destructive unless `destructiveHint` is false.
 */
const SELECTORS: Readonly<Record<SelectorName, Matcher>> = {
  '@all': () => true,
  '@read-only': ({ annotations }) => annotations?.readOnlyHint === true,
  '@write': ({ annotations }) => annotations?.readOnlyHint !== true,
  '@destructive': ({ annotations }) =>
    annotations?.readOnlyHint !== true && annotations?.destructiveHint !== false,
  '@unannotated': ({ annotations }) =>
    annotations?.readOnlyHint === undefined && annotations?.destructiveHint === undefined,
};

/**
 * Compiles a selector, a glob (`*` any run of characters, `?` one) or a name. Throws on an unknown selector.
 * Matching takes time linear in the name for each `*`, whatever the pattern.
 */
export function compileMatcher(pattern: string): Matcher {
  if (pattern.startsWith('@')) {
    if (!isSelector(pattern))
      throw new Error(`unknown selector "${pattern}"; known: ${SELECTOR_NAMES.join(' ')}`);
    return SELECTORS[pattern];
  }
  const matches = compileGlob(pattern);
  return ({ name }) => matches(name);
}

/** Compiles a glob or a plain text; the time is as above. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  return (text) => globMatches(pattern, text);
}

/** Greedy matching with one step back per `*`: no backtracking explosion, unlike a regular expression. */
function globMatches(pattern: string, text: string): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let resume = 0;
  while (from < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = from;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[from])) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
