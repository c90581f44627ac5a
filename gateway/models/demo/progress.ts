import { isJsonObject } from '../../contract/json.ts';
import { failureReason } from '../tool-failure.ts';
import type { ToolSpec } from '../model.ts';
import { formatExpression, usesPrevious, type Expression } from './arithmetic.ts';
import type { Goal } from './goals.ts';
import {
  calculator,
  echoer,
  fileReader,
  folderLister,
  observer,
  ownName,
  recaller,
  rememberer,
  rootLister,
  type Found,
} from './toolbox.ts';

/** A call to be made for a goal; `step` names it within the goal. */
export interface PlannedCall extends Found {
  readonly step: string;
}

/** How far a goal has come. */
export type Progress =
  | { readonly state: 'calls'; readonly calls: readonly PlannedCall[] }
  /** It needs another goal's result first. */
  | { readonly state: 'waiting' }
  | { readonly state: 'done'; readonly text: string; readonly value?: number }
  | { readonly state: 'failed'; readonly text: string }
  /** No offered tool can do it; `need` says what kind would. */
  | { readonly state: 'missing'; readonly need: string };

/** The text of a finished call of this goal, by its step. */
export type Results = (step: string) => string | undefined;

const MAX_QUOTE = 2000;

/** What to do next for a goal, or what came of it. */
export function advance(
  goal: Goal,
  tools: readonly ToolSpec[],
  results: Results,
  before: readonly Progress[],
): Progress {
  switch (goal.kind) {
    case 'calculate':
      return calculate(goal.expression, tools, results, before);
    case 'list':
      return list(goal.path, tools, results);
    case 'read':
      return single(
        fileReader(tools, goal.path),
        'one that reads a file',
        results,
        (text) => `${goal.path} says:\n${quote(text)}`,
      );
    case 'echo':
      return single(
        echoer(tools, goal.text),
        'an echo tool',
        results,
        (text) => `The echo came back: ${quote(text)}`,
      );
    case 'remember':
      return remember(goal.subject, goal.statement, tools, results);
    case 'recall':
      if (before.some((one) => one.state === 'calls')) return { state: 'waiting' };
      return single(recaller(tools), 'one that reads a memory', results, describeMemory);
    case 'call':
      return single(goal, '', results, (text) => `${ownName(goal.tool)} answered:\n${quote(text)}`);
  }
}

function single(
  found: Found | undefined,
  need: string,
  results: Results,
  tell: (text: string) => string,
  step = '1',
): Progress {
  if (!found) return { state: 'missing', need };
  const text = results(step);
  if (text === undefined)
    return { state: 'calls', calls: [{ tool: found.tool, arguments: found.arguments, step }] };
  return failed(found, text) ?? { state: 'done', text: tell(text) };
}

function failed(found: Found, text: string): Progress | undefined {
  const reason = failureReason(text);
  return reason === undefined
    ? undefined
    : { state: 'failed', text: `${ownName(found.tool)} failed: ${quote(reason)}` };
}

function calculate(
  expression: Expression,
  tools: readonly ToolSpec[],
  results: Results,
  before: readonly Progress[],
): Progress {
  const previous = before.findLast((one) => one.state !== 'done' || one.value !== undefined);
  const known = previous?.state === 'done' ? previous.value : undefined;
  if (usesPrevious(expression) && known === undefined) {
    if (previous?.state === 'calls' || previous?.state === 'waiting') return { state: 'waiting' };
    return { state: 'failed', text: `There is no earlier result for "${formatExpression(expression)}".` };
  }
  const outcome = evaluate(expression, '1', known, tools, results);
  if (outcome.state !== 'done') return outcome;
  return { ...outcome, text: `${formatExpression(expression, known)} = ${outcome.value}` };
}

type Evaluated = Exclude<Progress, { state: 'done' }> | { readonly state: 'done'; readonly value: number };

/** Evaluates by tools alone: what both operands need is asked for in one go. */
function evaluate(
  expression: Expression,
  step: string,
  known: number | undefined,
  tools: readonly ToolSpec[],
  results: Results,
): Evaluated {
  if (expression.kind === 'number') return { state: 'done', value: expression.value };
  if (expression.kind === 'previous')
    return known === undefined ? { state: 'waiting' } : { state: 'done', value: known };
  const left = evaluate(expression.left, `${step}l`, known, tools, results);
  const right = evaluate(expression.right, `${step}r`, known, tools, results);
  if (left.state !== 'done' || right.state !== 'done') return join(left, right);
  const found = calculator(tools, expression.operator, left.value, right.value);
  if (!found) return { state: 'missing', need: `a calculator's tool for "${expression.operator}"` };
  const text = results(step);
  if (text === undefined) return { state: 'calls', calls: [{ ...found, step }] };
  const failure = failed(found, text);
  if (failure?.state === 'failed') return failure;
  const value = lastNumber(text);
  if (value === undefined)
    return { state: 'failed', text: `${ownName(found.tool)} answered no number: ${quote(text)}` };
  return { state: 'done', value };
}

function join(left: Evaluated, right: Evaluated): Evaluated {
  const ended = [left, right].find((one) => one.state === 'failed' || one.state === 'missing');
  if (ended) return ended;
  const calls = [left, right].flatMap((one) => (one.state === 'calls' ? one.calls : []));
  return { state: 'calls', calls };
}

function lastNumber(text: string): number | undefined {
  const found = text.match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi)?.at(-1);
  return found === undefined ? undefined : Number(found);
}

function list(path: string | undefined, tools: readonly ToolSpec[], results: Results): Progress {
  const roots = path === undefined ? rootLister(tools) : undefined;
  let folder = path ?? '.';
  if (roots) {
    const text = results('roots');
    if (text === undefined) return { state: 'calls', calls: [{ ...roots, step: 'roots' }] };
    const failure = failed(roots, text);
    if (failure) return failure;
    folder =
      text
        .split('\n')
        .map((line) => line.trim())
        .find((line) => /^(?:\/|~|[A-Za-z]:\\)/.test(line)) ?? '.';
  }
  return single(
    folderLister(tools, folder),
    'one that lists a folder',
    results,
    (text) => `${folder} holds:\n${quote(text)}`,
  );
}

function remember(
  subject: string,
  statement: string,
  tools: readonly ToolSpec[],
  results: Results,
): Progress {
  const told = `Remembered: ${statement}`;
  const progress = single(rememberer(tools, subject, statement), 'one that remembers', results, () => told);
  // A memory server answers an empty list when it knows the subject already and stored nothing.
  if (progress.state !== 'done' || !/^\s*\[\s*\]\s*$/.test(results('1') ?? '')) return progress;
  return single(
    observer(tools, subject, statement),
    'one that adds to a memory',
    results,
    () => told,
    'more',
  );
}

function describeMemory(text: string): string {
  let graph: unknown;
  try {
    graph = JSON.parse(text);
  } catch {
    return `The memory holds:\n${quote(text)}`;
  }
  const entities = isJsonObject(graph) && Array.isArray(graph['entities']) ? graph['entities'] : undefined;
  if (!entities) return `The memory holds:\n${quote(text)}`;
  if (entities.length === 0) return 'The memory is empty.';
  const lines = entities.filter(isJsonObject).map((entity) => {
    const observations = Array.isArray(entity['observations']) ? entity['observations'].join('; ') : '';
    return `- ${String(entity['name'])}: ${observations}`;
  });
  return `The memory holds:\n${quote(lines.join('\n'))}`;
}

function quote(text: string): string {
  return text.length <= MAX_QUOTE
    ? text.trim()
    : `${text.slice(0, MAX_QUOTE).trim()} … (${text.length} characters in all)`;
}
