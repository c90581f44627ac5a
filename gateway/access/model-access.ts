import type { Config } from '../config/schema.ts';
import { compileGlob, compileMatcher, type MatchableTool } from './match.ts';

/** An entry of `models.access`. */
export interface ModelAccess {
  /** Whether a model, `provider/model`, is meant. */
  readonly models: (model: string) => boolean;
  readonly use: readonly string[];
  /** Whether these models may call a tool; undefined when the entry does not say. */
  readonly tools: ((serverId: string, tool: MatchableTool) => boolean) | undefined;
  readonly path: string;
}

export function compileModelAccess(entries: Config['models']['access']): ModelAccess[] {
  return entries.map(({ models, use, tools }, index) => {
    const patterns = models.map(compileGlob);
    return {
      models: (model) => patterns.some((matches) => matches(model)),
      use,
      tools: tools && compileTools(tools),
      path: `models.access[${index}]`,
    };
  });
}

function compileTools(tools: readonly string[]): ModelAccess['tools'] {
  const selectors = tools.filter((tool) => tool.startsWith('@')).map(compileMatcher);
  const patterns = tools.filter((tool) => !tool.startsWith('@')).map(compileGlob);
  return (serverId, tool) =>
    selectors.some((matches) => matches(tool)) ||
    patterns.some((matches) => matches(`${serverId}:${tool.name}`));
}
