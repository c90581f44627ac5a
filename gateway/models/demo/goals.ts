import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { ToolSpec } from '../model.ts';
import { parseArithmetic, type Expression } from './arithmetic.ts';
import { splitClauses, type Clause } from './clauses.ts';
import { ownName } from './toolbox.ts';

/** One thing the user asked for, as the rules understood it. */
export type Goal =
  | { readonly kind: 'calculate'; readonly expression: Expression }
  | { readonly kind: 'list'; readonly path: string | undefined }
  | { readonly kind: 'read'; readonly path: string }
  | { readonly kind: 'echo'; readonly text: string }
  | { readonly kind: 'remember'; readonly subject: string; readonly statement: string }
  | { readonly kind: 'recall' }
  | { readonly kind: 'call'; readonly tool: ToolSpec; readonly arguments: JsonObject };

const MAX_GOALS = 16;

/** The goals of a message in its order, at most 16; none when no rule fits. */
export function findGoals(message: string, tools: readonly ToolSpec[]): Goal[] {
  const goals: Goal[] = [];
  for (const clause of splitClauses(message)) {
    const goal = readClause(clause, tools);
    if (goal && goals.length < MAX_GOALS) goals.push(goal);
  }
  return goals;
}

function readClause(clause: Clause, tools: readonly ToolSpec[]): Goal | undefined {
  return (
    asCall(clause, tools) ??
    asForget(clause, tools) ??
    asEcho(clause) ??
    asRecall(clause) ??
    asRemember(clause) ??
    asRead(clause) ??
    asList(clause) ??
    asCalculation(clause)
  );
}

function asCall({ text, restore }: Clause, tools: readonly ToolSpec[]): Goal | undefined {
  const match =
    /\b(?:call|use|run|invoke)\s+(?:the\s+)?(?:tool\s+)?(\uE000\d+\uE001|[\w.-]+)(?:\s+tool)?(?:\s+(?:with|on)\s+(?:the\s+)?(?:arguments?\s+)?(\uE000\d+\uE001))?/i.exec(
      text,
    );
  const name = match?.[1] === undefined ? undefined : restore(match[1]);
  const tool = tools.find((one) => one.name === name) ?? tools.find((one) => ownName(one) === name);
  return (
    tool && { kind: 'call', tool, arguments: match?.[2] === undefined ? {} : readObject(restore(match[2])) }
  );
}

function asForget({ text, restore }: Clause, tools: readonly ToolSpec[]): Goal | undefined {
  const name = /\bforget\b(?:\s+about)?:?\s+(.+)$/i.exec(text)?.[1];
  const tool = tools.find((one) => ownName(one) === 'delete_entities');
  if (name === undefined || tool === undefined) return undefined;
  return { kind: 'call', tool, arguments: { entityNames: [restore(name).replace(/[.!]$/, '')] } };
}

function asEcho({ text, restore }: Clause): Goal | undefined {
  const match = /(?:\b(?:echo|repeat)|^(?:please\s+)?say)\b:?\s+(?:back\s+)?(.+)$/i.exec(text);
  return match?.[1] === undefined ? undefined : { kind: 'echo', text: restore(match[1]) };
}

function asRecall({ text }: Clause): Goal | undefined {
  const asked =
    /\bwhat\b.*\b(?:remember|know|memory|stored)\b|\brecall\b|\b(?:read|show)\s+(?:me\s+)?(?:the\s+|your\s+)?(?:knowledge\s+)?(?:graph|memory)\b/i;
  return asked.test(text) ? { kind: 'recall' } : undefined;
}

function asRemember({ text, restore }: Clause): Goal | undefined {
  const match = /\b(?:remember|memori[sz]e|note)\b(?:\s+that\b)?:?\s+(.+)$/i.exec(text);
  if (match?.[1] === undefined) return undefined;
  const statement = restore(match[1]);
  return { kind: 'remember', statement, subject: subjectOf(statement) };
}

/** Whom a statement is about: its first capitalised words, `my …`, or its first word. */
function subjectOf(statement: string): string {
  if (/^I\b/.test(statement)) return 'user';
  const match = /^(?:my|the|our)\s+\S+|^\p{Lu}\S*(?:\s+\p{Lu}\S*)*|^\S+/u.exec(statement);
  return (match?.[0] ?? statement).replace(/[,:]$|['’]s$/, '');
}

const LITERAL = /\uE000\d+\uE001/;
const FILE_NAME = /(?:[\w.~-]*[\\/])*[\w-]+(?:\.[A-Za-z][A-Za-z0-9]{0,7})\b/;
const PATH = /(?:^|\s)((?:~|\.{1,2})?\/[^\s,;]*|[A-Za-z]:\\\S*|[\w.-]+\/\S*)/;
/** Words that describe the one folder there is and name none. */
const NO_NAME =
  /^(?:a|an|the|this|that|my|of|in|and|please|for|current|working|root|home|sample|demo|allowed|first|whole|shared|same|there)$/i;

function asRead({ text, restore }: Clause): Goal | undefined {
  if (
    !/\b(?:read|open|show|cat|print|display|view|what(?:['’]s|\s+is)\s+in)\b/i.test(text) ||
    /\bfiles\b|\bfolder\b|\bdirectory\b/i.test(text)
  ) {
    return undefined;
  }
  const named = /\bfile\s+(?:called\s+|named\s+)?(\S+)/i.exec(text)?.[1];
  const found = LITERAL.exec(text)?.[0] ?? PATH.exec(text)?.[1] ?? FILE_NAME.exec(text)?.[0] ?? named;
  return found === undefined || NO_NAME.test(found) ? undefined : { kind: 'read', path: restore(found) };
}

function asList({ text, restore }: Clause): Goal | undefined {
  const asked =
    /^ls\b|\b(?:list|show|browse|explore|look|what|which)\b.*\b(?:folders?|director(?:y|ies)|files|contents?)\b|\blist\s+(?:~|\.|\/)/i;
  if (!asked.test(text)) return undefined;
  const found = LITERAL.exec(text)?.[0] ?? PATH.exec(text)?.[1] ?? folderName(text);
  return { kind: 'list', path: found === undefined ? undefined : restore(found) };
}

function folderName(text: string): string | undefined {
  const patterns = [
    /\b(?:folder|directory|dir)\s+(?:called\s+|named\s+)?([\w.-]+)/i,
    /\b([\w.-]+)\s+(?:folder|directory|dir)\b/i,
    /\b(?:in|inside|of)\s+(?:the\s+)?([\w.-]+)$/i,
  ];
  const names = patterns.map((pattern) => pattern.exec(text)?.[1]);
  return names.find(
    (name) =>
      name !== undefined && !NO_NAME.test(name) && !/^(?:folder|directory|files|contents?|list)$/i.test(name),
  );
}

function asCalculation({ text }: Clause): Goal | undefined {
  const expression = parseArithmetic(text);
  return expression && { kind: 'calculate', expression };
}

function readObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
