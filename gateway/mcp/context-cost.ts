import type { ContextResponse } from '../contract/context.ts';
import type { Principal } from '../identity/principal.ts';
import type { Listed } from '../registry/entry.ts';
import type { Scope, Views } from './scope.ts';

/** The tokens of a text, by the encoding `o200k_base`. */
export type CountTokens = (text: string) => number;

/**
 * Measures what an agent pays before its first word: the definitions of all tools at each address the principal
 * may use, and at its discovery address. A tool is counted once for as long as its definition stays the same.
 */
export type ContextCost = (principal: Principal) => Promise<ContextResponse>;

/** `load` fetches the tokenizer, which takes memory; it is called when first needed. */
export function createContextCost(views: Views, load: () => Promise<CountTokens>): ContextCost {
  const known = new WeakMap<Listed, number>();
  let loading: Promise<CountTokens> | undefined;
  return async (principal) => {
    const count = await (loading ??= load());
    const tokensOf = (tool: Listed): number => {
      let tokens = known.get(tool);
      if (tokens === undefined) known.set(tool, (tokens = count(asOffered(tool))));
      return tokens;
    };
    const costOf = (scope: Scope): { tools: number; tokens: number } => {
      const tools = views(principal, scope)?.tools ?? [];
      return { tools: tools.length, tokens: tools.reduce((sum, tool) => sum + tokensOf(tool), 0) };
    };
    return {
      encoding: 'o200k_base',
      addresses: scopesOf(principal, views).map(([path, scope]) => ({ path, ...costOf(scope) })),
      discovery: costOf({ kind: 'all', discovery: true }),
    };
  };
}

function scopesOf(principal: Principal, views: Views): [string, Scope][] {
  const entries = views(principal, { kind: 'all' })?.entries ?? [];
  const groups = [...new Set(entries.map(({ group }) => group))];
  return [
    ['/mcp', { kind: 'all' }],
    ...groups.flatMap((group): [string, Scope][] => [
      [`/mcp/${group}`, { kind: 'group', group }],
      ...entries
        .filter((entry) => entry.group === group)
        .map(({ name }): [string, Scope] => [
          `/mcp/${group}/${name}`,
          { kind: 'server', group, server: name },
        ]),
    ]),
  ];
}

function asOffered({ name, description, inputSchema }: Listed): string {
  return JSON.stringify({ name, description, parameters: inputSchema });
}
