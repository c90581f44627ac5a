/**
 * References in configuration strings: `${secret:NAME}`, `${env:NAME}`, `${file:PATH}`. One that does not
 * resolve is an error that names it, never an empty string.
 */

/** Also finds one that is not closed, so that it is an error rather than text. */
const REFERENCE = /\$\{([^}]*)(?:\}|$)/g;
const KINDS = ['secret', 'env', 'file'] as const;
export type ReferenceKind = (typeof KINDS)[number];

/** Gives a reference's value; undefined when there is none. */
export type ReferenceSource = (kind: ReferenceKind, name: string) => string | undefined;

/** A reference that is mistyped or has no value. */
export class ReferenceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReferenceError';
  }
}

/** The text with every reference replaced by its value. Throws a `ReferenceError` that names the culprit. */
export function resolveReferences(text: string, source: ReferenceSource): string {
  return text.replace(REFERENCE, (reference, inner: string) => {
    const { kind, name } = parse(reference, inner);
    const value = source(kind, name);
    if (value === undefined || value === '') throw new ReferenceError(explain(kind, name));
    return value;
  });
}

/** A JSON value with the references in each of its texts resolved. Throws as `resolve` does. */
export function resolveWithin(value: unknown, resolve: (text: string) => string): unknown {
  if (typeof value === 'string') return resolve(value);
  if (Array.isArray(value)) return value.map((item) => resolveWithin(item, resolve));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, resolveWithin(inner, resolve)]),
  );
}

/** The references in a text, as written. */
export function referencesIn(text: string): { kind: ReferenceKind; name: string }[] {
  return [...text.matchAll(REFERENCE)].map(([reference, inner = '']) => parse(reference, inner));
}

function parse(reference: string, inner: string): { kind: ReferenceKind; name: string } {
  const [before, ...after] = inner.split(':');
  const kind = KINDS.find((known) => known === before);
  const name = after.join(':');
  if (kind === undefined || name === '' || !reference.endsWith('}')) {
    throw new ReferenceError(
      `${reference} is not a reference; write \${secret:NAME}, \${env:NAME} or \${file:PATH}`,
    );
  }
  return { kind, name };
}

function explain(kind: ReferenceKind, name: string): string {
  const reference = `\${${kind}:${name}}`;
  switch (kind) {
    case 'secret':
      return `${reference} has no value: set the secret "${name}"`;
    case 'env':
      return `${reference} has no value: set the environment variable ${name}`;
    case 'file':
      return `${reference} has no value: the file is missing, unreadable or empty`;
  }
}
