import type { When } from '../config/policies/when.ts';
import type { Condition, Facts } from './condition.ts';
import { compileGlob, compileMatcher, type MatchableTool } from './match.ts';
import type { Person } from './people.ts';

/** A server that a call is for, and the tool of it, where it is for one. */
export interface PolicyTarget {
  /** `group:server`. */
  readonly serverId: string;
  readonly group: string;
  readonly tool?: MatchableTool | undefined;
  /** As conditions see it. */
  readonly facts: Facts['server'];
}

/** What policies look at of a call. */
export interface PolicyFacts {
  readonly person: Person;
  readonly tokenId: string;
  /**
   * The server called, and, where that is virtual, the one behind it: a policy about either holds. None for a call of
   * a model.
   */
  readonly targets: readonly PolicyTarget[];
  /** `provider/model`: the one called, or the one that asks for the call; empty when there is none. */
  readonly model: string;
  /** What the caller says of the call. */
  readonly metadata: Readonly<Record<string, string>>;
  /** A tool's arguments, as its server would get them. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Whether a policy is about a call. */
export type Applies = (facts: PolicyFacts) => boolean;

/** Compiles what a policy is about. Throws where its condition cannot be used, with its place. */
export function compileWhen(when: When, place: string, conditionOf: (source: string) => Condition): Applies {
  const parts: Applies[] = [];
  const { tools, servers, groups, models, subjects, metadata, condition } = when;
  if (tools !== undefined) parts.push(onTargets(compileTools(tools)));
  if (servers !== undefined) parts.push(onTargets(onText(servers, ({ serverId }) => serverId)));
  if (groups !== undefined) parts.push(onTargets(onText(groups, ({ group }) => group)));
  if (models !== undefined) {
    const matches = anyGlob(models);
    const alone = tools === undefined && servers === undefined && groups === undefined;
    parts.push(({ model, targets }) => (!alone || targets.length === 0) && matches(model));
  }
  if (subjects !== undefined)
    parts.push(({ person }) => subjects.some((subject) => person.names.has(subject)));
  for (const [key, pattern] of Object.entries(metadata ?? {})) {
    const matches = compileGlob(pattern);
    parts.push(({ metadata: given }) => Object.hasOwn(given, key) && matches(given[key] ?? ''));
  }
  if (condition !== undefined) parts.push(compileCondition(condition, place, conditionOf));
  return (facts) => parts.every((applies) => applies(facts));
}

/** What conditions see of a call. */
export function conditionFacts({ person, targets, model, args, at }: PolicyFacts): Facts {
  const behind = targets.at(-1);
  const { tool } = behind ?? {};
  const environment = behind?.facts['environment'];
  return {
    principal: person.facts,
    server: behind?.facts ?? {},
    tool: tool === undefined ? {} : { name: tool.name, ...tool.annotations },
    environment: typeof environment === 'string' ? environment : '',
    args,
    model,
    now: new Date(at),
  };
}

function compileCondition(
  source: string,
  place: string,
  conditionOf: (source: string) => Condition,
): Applies {
  let condition: Condition;
  try {
    condition = conditionOf(source);
  } catch (error) {
    throw new Error(`${place}.when.condition: ${(error as Error).message}`, { cause: error });
  }
  return (facts) => condition(conditionFacts(facts)).is !== 'false';
}

function onTargets(matches: (target: PolicyTarget) => boolean): Applies {
  return ({ targets }) => targets.some(matches);
}

function onText(patterns: readonly string[], of: (target: PolicyTarget) => string) {
  const matches = anyGlob(patterns);
  return (target: PolicyTarget): boolean => matches(of(target));
}

/** Whether a tool is one of those that patterns of the configuration name. */
export function compileTools(patterns: readonly string[]): (target: PolicyTarget) => boolean {
  const matchers = patterns.map((pattern) => {
    if (pattern.startsWith('@')) return { selects: compileMatcher(pattern) };
    const matches = compileGlob(pattern);
    return pattern.includes(':') ? { full: matches } : { bare: matches };
  });
  return ({ serverId, tool }) =>
    tool !== undefined &&
    matchers.some(({ selects, full, bare }) =>
      selects !== undefined
        ? selects(tool)
        : full !== undefined
          ? full(`${serverId}:${tool.name}`)
          : bare(tool.name),
    );
}

function anyGlob(patterns: readonly string[]): (text: string) => boolean {
  const globs = patterns.map(compileGlob);
  return (text) => globs.some((matches) => matches(text));
}
