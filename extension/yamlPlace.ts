/** Where in a YAML text something is being written. */
export interface YamlPlace {
  /** The way to the mapping that holds it: keys, and 0 for whatever item of a list. */
  readonly path: readonly (string | number)[];
  /** The key whose value it is; undefined while it is a key itself. */
  readonly key: string | undefined;
}

interface Token {
  readonly indent: number;
  /** Undefined for the dash of a list's item. */
  readonly key: string | undefined;
}

/**
 * Finds the place of a cursor by the indentation of what is above, so that it works while the text is not YAML yet. Mappings
 * between braces are not looked into.
 */
export function placeAt(text: string, line: number, column: number): YamlPlace {
  const lines = text.split(/\r?\n/).slice(0, line + 1);
  const current = (lines.pop() ?? '').slice(0, column);
  const own = tokensOf(current);
  const written = own.at(-1);
  const key = written?.key;
  // What stands in a line of its own begins where its first letter is, or will be.
  const dashes = own.filter((token) => token.key === undefined);
  const start = /^[\s-]*/.exec(current)?.[0].length ?? 0;
  const indent = key === undefined ? start : (written?.indent ?? start);
  return { path: pathTo([...lines.flatMap(tokensOf), ...dashes], indent), key };
}

function pathTo(above: readonly Token[], indent: number): (string | number)[] {
  const path: (string | number)[] = [];
  let limit = indent;
  let inList = false;
  for (const token of above.toReversed()) {
    // A list may begin as far left as the key it belongs to.
    const encloses = token.indent < limit || (inList && token.key !== undefined && token.indent === limit);
    if (!encloses) continue;
    path.unshift(token.key ?? 0);
    limit = token.indent;
    inList = token.key === undefined;
  }
  return path;
}

/** The dashes and the key that a line begins with, each with its column. */
function tokensOf(line: string): Token[] {
  if (/^\s*(?:#|$)/.test(line)) return [];
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += /^\s*/.exec(line.slice(at))?.[0].length ?? 0;
    if (!/^-(?:\s|$)/.test(line.slice(at))) break;
    tokens.push({ indent: at, key: undefined });
    at += 1;
  }
  const key = /^([\w.-]+|"[^"]*"|'[^']*')\s*:(?:\s|$)/.exec(line.slice(at))?.[1];
  if (key !== undefined) tokens.push({ indent: at, key: key.replace(/^["']|["']$/g, '') });
  return tokens;
}
