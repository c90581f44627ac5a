import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { ToolSpec } from '../model.ts';
import type { Operator } from './arithmetic.ts';

/** A tool found for a purpose, with the arguments its own schema asks for. */
export interface Found {
  readonly tool: ToolSpec;
  readonly arguments: JsonObject;
}

/** The tool's name at its server: what follows the last `__` of the function's name. */
export function ownName({ name }: Pick<ToolSpec, 'name'>): string {
  const separator = name.lastIndexOf('__');
  return separator < 0 ? name : name.slice(separator + 2);
}

const OPERATIONS: Record<Operator, readonly string[]> = {
  '+': ['add', 'sum', 'plus', 'addition'],
  '-': ['subtract', 'sub', 'minus', 'difference', 'subtraction'],
  '*': ['multiply', 'mul', 'times', 'product', 'multiplication'],
  '/': ['divide', 'div', 'quotient', 'division'],
};

/** A tool that takes two numbers and is named for the operation; the first number is its first property. */
export function calculator(
  tools: readonly ToolSpec[],
  operator: Operator,
  left: number,
  right: number,
): Found | undefined {
  return pick(
    tools,
    OPERATIONS[operator].map((word) => [word]),
    (tool) => {
      const [first, second, ...more] = namesOf(tool, 'number', 'integer');
      if (first === undefined || second === undefined || more.length > 0) return undefined;
      return { [first]: left, [second]: right };
    },
  );
}

export function folderLister(tools: readonly ToolSpec[], path: string): Found | undefined {
  const plain = tools.filter((tool) => !/allowed|size|tree/i.test(ownName(tool)));
  return pick(
    plain,
    [['list', 'directory'], ['list', 'folder'], ['list', 'dir'], ['list', 'files'], ['ls']],
    onText(path),
  );
}

/** A tool that says which folders may be listed. */
export function rootLister(tools: readonly ToolSpec[]): Found | undefined {
  return pick(tools, [['list', 'allowed']], (tool) => (requiredOf(tool).length === 0 ? {} : undefined));
}

export function fileReader(tools: readonly ToolSpec[], path: string): Found | undefined {
  return pick(
    tools,
    [
      ['read', 'text', 'file'],
      ['read', 'file'],
    ],
    onText(path),
  );
}

export function echoer(tools: readonly ToolSpec[], text: string): Found | undefined {
  return pick(tools, [['echo']], onText(text));
}

/** A tool that stores a statement about a subject. */
export function rememberer(
  tools: readonly ToolSpec[],
  subject: string,
  statement: string,
): Found | undefined {
  return pick(tools, [['create', 'entities'], ['remember'], ['store', 'memory']], (tool) =>
    statementFor(tool.parameters, subject, statement),
  );
}

/** A tool that adds a statement about a subject that is known already. */
export function observer(tools: readonly ToolSpec[], subject: string, statement: string): Found | undefined {
  return pick(tools, [['add', 'observations']], (tool) => statementFor(tool.parameters, subject, statement));
}

export function recaller(tools: readonly ToolSpec[]): Found | undefined {
  return pick(tools, [['read', 'graph'], ['recall'], ['read', 'memory']], (tool) =>
    requiredOf(tool).length === 0 ? {} : undefined,
  );
}

/** The first tool, by the order of `wanted`, whose name holds all the words and whose schema can be filled. */
function pick(
  tools: readonly ToolSpec[],
  wanted: readonly (readonly string[])[],
  fill: (tool: ToolSpec) => JsonObject | undefined,
): Found | undefined {
  for (const words of wanted) {
    const named = tools.filter((tool) => words.every((word) => wordsOf(tool).includes(word)));
    // The shortest name says least beside the words.
    for (const tool of named.toSorted((a, b) => wordsOf(a).length - wordsOf(b).length)) {
      const filled = fill(tool);
      if (filled) return { tool, arguments: filled };
    }
  }
  return undefined;
}

function wordsOf(tool: ToolSpec): string[] {
  return ownName(tool)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}

/** Fills the one string a tool requires, or the first it takes. */
function onText(text: string): (tool: ToolSpec) => JsonObject | undefined {
  return (tool) => {
    const required = requiredOf(tool);
    const strings = namesOf(tool, 'string');
    const name = strings.find((one) => required.includes(one)) ?? strings[0];
    if (name === undefined || required.some((one) => one !== name)) return undefined;
    return { [name]: text };
  };
}

function statementFor(schema: unknown, subject: string, statement: string): JsonObject | undefined {
  if (!isJsonObject(schema)) return undefined;
  const filled: JsonObject = {};
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    if (!isRequired(schema, name)) continue;
    const value = valueFor(name, property, subject, statement);
    if (value === undefined) return undefined;
    filled[name] = value;
  }
  return Object.keys(filled).length === 0 ? undefined : filled;
}

function valueFor(name: string, property: unknown, subject: string, statement: string): unknown {
  if (!isJsonObject(property)) return undefined;
  if (property['type'] === 'string') {
    if (/name|subject|title|key/i.test(name)) return subject;
    return /type|kind|category/i.test(name) ? 'note' : statement;
  }
  if (property['type'] === 'object') return statementFor(property, subject, statement);
  if (property['type'] !== 'array') return undefined;
  const item =
    isJsonObject(property['items']) && property['items']['type'] === 'string'
      ? statement
      : valueFor(name, property['items'], subject, statement);
  return item === undefined ? undefined : [item];
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isJsonObject(schema['properties']) ? schema['properties'] : {};
}

function namesOf(tool: ToolSpec, ...types: string[]): string[] {
  return Object.entries(propertiesOf(tool.parameters))
    .filter(([, property]) => isJsonObject(property) && types.includes(String(property['type'])))
    .map(([name]) => name);
}

function requiredOf(tool: ToolSpec): string[] {
  return Object.keys(propertiesOf(tool.parameters)).filter((name) => isRequired(tool.parameters, name));
}

function isRequired(schema: JsonObject, name: string): boolean {
  return Array.isArray(schema['required']) && schema['required'].includes(name);
}
