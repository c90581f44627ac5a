import { createScanner, getNodeValue, parseTree, printParseErrorCode, type ParseError } from 'jsonc-parser';

/** A client's file, as far as it could be read: JSON, with comments and trailing commas or without. */
export interface ClientDocument {
  readonly entries: readonly ClientEntry[];
  readonly inputs: readonly unknown[];
  readonly problems: readonly { readonly line?: number; readonly message: string }[];
}

export interface ClientEntry {
  readonly name: string;
  readonly value: unknown;
  /** The project it belongs to, where the file holds several. */
  readonly project?: string;
}

const MOST_CHARACTERS = 4 * 1024 * 1024;
const MOST_ENTRIES = 500;
const MOST_ERRORS = 5;
const DEEPEST = 64;

/** Reads the text of a client's file. What is broken is told with its line; what can be read of the rest is. */
export function readDocument(text: string): ClientDocument {
  const refused = (message: string): ClientDocument => ({ entries: [], inputs: [], problems: [{ message }] });
  if (text.length > MOST_CHARACTERS)
    return refused(
      `the file is larger than ${MOST_CHARACTERS / 1024 / 1024} MiB, which no list of servers is`,
    );
  if (depthOf(text) > DEEPEST) return refused(`the file is nested deeper than ${DEEPEST} levels`);
  const errors: ParseError[] = [];
  const tree = parseTree(text.replace(/^\uFEFF/, ' '), errors, { allowTrailingComma: true });
  const problems = errors.slice(0, MOST_ERRORS).map(({ error, offset }) => ({
    line: text.slice(0, offset).split('\n').length,
    message: `this is not JSON here (${printParseErrorCode(error)})`,
  }));
  // Objects without a prototype: a key such as __proto__ is a key like any other.
  const root: unknown = tree === undefined ? undefined : getNodeValue(tree);
  const places = [root, at(root, 'mcp'), at(root, 'customizations', 'vscode', 'mcp')];
  const all = [
    ...places.flatMap((place) => [...entriesOf(at(place, 'servers')), ...entriesOf(at(place, 'mcpServers'))]),
    ...pairs(at(root, 'projects')).flatMap(([project, value]) =>
      entriesOf(at(value, 'mcpServers')).map((entry) => ({ ...entry, project })),
    ),
  ];
  const inputs = places
    .map((place) => at(place, 'inputs'))
    .flatMap((list): unknown[] => (Array.isArray(list) ? list : []));
  const more: ClientDocument['problems'] =
    all.length > MOST_ENTRIES
      ? [{ message: `of ${all.length} servers, the first ${MOST_ENTRIES} are read` }]
      : [];
  if (all.length === 0 && problems.length === 0)
    return refused('there are no servers in it: it has neither "servers" nor "mcpServers"');
  return { entries: all.slice(0, MOST_ENTRIES), inputs, problems: [...problems, ...more] };
}

function entriesOf(value: unknown): ClientEntry[] {
  return pairs(value).map(([name, entry]) => ({ name, value: entry }));
}

function pairs(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without recursion, so that it can be known before anything recurses. */
function depthOf(text: string): number {
  const scanner = createScanner(text, true);
  let depth = 0;
  let deepest = 0;
  do {
    scanner.scan();
    const token = text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength());
    if (token === '{' || token === '[') deepest = Math.max(deepest, ++depth);
    if (token === '}' || token === ']') depth--;
  } while (scanner.getPosition() < text.length);
  return deepest;
}
