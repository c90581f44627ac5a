import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { at, configJsonSchema, knownKeys, schemaAt, type SchemaNode } from './known-keys.ts';
import { nearest } from './nearest.ts';
import { configSchema, type Config } from './schema.ts';

/** One thing wrong with a configuration, and where. */
export interface ConfigIssue {
  /** `groups[0].servers[1].url`; empty for the document itself. */
  readonly path: string;
  /** 1-based; absent when the place cannot be told. */
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

type Path = readonly (string | number)[];

/**
 * Reads the text of a `toolgate.yaml`. Every issue is reported at once, with its place; an unknown key names the
 * nearest known one. Anchors are allowed, their expansion is bounded.
 */
export function parseConfig(text: string): ParsedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'error',
  });
  if (document.errors.length > 0) {
    return {
      ok: false,
      issues: document.errors.map((error) => ({
        path: '',
        ...place(lines, error.pos[0]),
        message: error.message,
      })),
    };
  }
  let written: unknown;
  try {
    written = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    // An alias without an anchor, or aliases of aliases that would grow without bound.
    return { ok: false, issues: [{ path: '', message: (error as Error).message }] };
  }
  // It takes longer to make than all the rest, and most configurations are right.
  let made: SchemaNode | undefined;
  const schema = (): SchemaNode => (made ??= configJsonSchema());
  const parsed = configSchema.safeParse(mayHoldNulls(written) ? withoutNulls(written, schema()) : written);
  if (parsed.success) return { ok: true, config: parsed.data };
  const issues = parsed.error.issues.flatMap((issue) => explain(issue, schema(), written));
  return {
    ok: false,
    issues: issues.map(({ path, message }) => ({
      path: path.reduce<string>(
        (text, key) => text + (typeof key === 'number' ? `[${key}]` : text ? `.${key}` : key),
        '',
      ),
      ...locate(document, lines, path),
      message,
    })),
  };
}

/** False only where there is surely none. */
function mayHoldNulls(written: unknown): boolean {
  try {
    return JSON.stringify(written).includes('null');
  } catch {
    // An alias inside its own anchor.
    return true;
  }
}

/** A known key with nothing behind it, as a list whose every entry is commented out leaves it, is a key left out. */
function withoutNulls(value: unknown, node: SchemaNode | undefined): unknown {
  // It goes no deeper than the schema, so that an alias inside its own anchor ends here.
  if (node === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((inner, index) => withoutNulls(inner, schemaAt(node, value, index)));
  }
  if (typeof value !== 'object' || value === null) return value;
  const known = knownKeys(node, value);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => inner !== null || !known.includes(key))
      .map(([key, inner]) => [key, withoutNulls(inner, schemaAt(node, value, key))]),
  );
}

/** An issue on one line: `toolgate.yaml:12:5 groups[0].nmae: unknown key; did you mean "name"?` */
export function formatIssue(file: string, issue: ConfigIssue): string {
  const at = issue.line === undefined ? '' : `:${issue.line}:${issue.column ?? 1}`;
  return `${file}${at} ${issue.path ? `${issue.path}: ` : ''}${issue.message}`;
}

function explain(
  issue: z.core.$ZodIssue,
  schema: SchemaNode,
  written: unknown,
): { path: Path; message: string }[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    let node: SchemaNode | undefined = schema;
    let value = written;
    for (const key of path) {
      node = schemaAt(node, value, key);
      value = at(value, key);
    }
    const known = knownKeys(node, value);
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known) }));
  }
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
    return [{ path, message: `"${issue.discriminator}" must be one of ${options(issue).join(', ')}` }];
  }
  return [{ path, message: issue.message }];
}

function unknownKey(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'unknown key';
  const meant = nearest(key, known);
  return meant === undefined
    ? `unknown key; known here: ${known.join(', ')}`
    : `unknown key; did you mean "${meant}"?`;
}

function options(issue: z.core.$ZodIssueInvalidUnion): string[] {
  return 'options' in issue && Array.isArray(issue.options)
    ? issue.options.map((option) => `"${String(option)}"`)
    : ['another'];
}

function locate(document: Document, lines: LineCounter, path: Path): { line?: number; column?: number } {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key,
      );
      if (pair === undefined) break;
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      node = node.items[key];
      offset = rangeStart(node) ?? offset;
    } else break;
  }
  return place(lines, offset);
}

function rangeStart(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined;
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
