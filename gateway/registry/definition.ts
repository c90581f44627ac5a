import { createHash } from 'node:crypto';
import { canonicalJson } from '../contract/json.ts';
import type { JsonObject } from '../contract/json.ts';
import type { PinKind } from '../contract/pins.ts';

/** What a server says of one thing, in the part that tells a model or a person what to do with it. */
export interface Definition {
  readonly kind: PinKind;
  /** The tool's or prompt's name; empty for instructions. */
  readonly name: string;
  /** SHA-256 (hex) of kind and content in canonical JSON: the order of keys does not count. */
  readonly hash: string;
  readonly content: JsonObject;
}

/** A definition that was searched: only such a one can be recorded. */
export interface SearchedDefinition extends Definition {
  /** What of it looks like prompt injection; nothing, mostly. */
  readonly found: readonly string[];
}

const FIELDS = {
  tool: ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'],
  prompt: ['name', 'title', 'description', 'arguments'],
} as const;

/** Reads definitions; what was read once is known by the identity of the listed item. */
export interface DefinitionReader {
  /** Undefined for what cannot be hashed, for instance for being nested too deep: nobody can have accepted it. */
  read(kind: 'tool' | 'prompt', item: JsonObject): Definition | undefined;
  instructions(text: string | undefined): Definition;
}

export function createDefinitionReader(): DefinitionReader {
  const known = new WeakMap<JsonObject, Definition | null>();
  return {
    read: (kind, item) => {
      let definition = known.get(item);
      if (definition === undefined) known.set(item, (definition = define(kind, item)));
      return definition ?? undefined;
    },
    instructions: (text) => toDefinition('instructions', '', text === undefined ? {} : { text }),
  };
}

function define(kind: 'tool' | 'prompt', item: JsonObject): Definition | null {
  const fields = FIELDS[kind].filter((field) => item[field] !== undefined);
  try {
    return toDefinition(
      kind,
      String(item['name']),
      Object.fromEntries(fields.map((field) => [field, item[field]])),
    );
  } catch {
    return null;
  }
}

function toDefinition(kind: PinKind, name: string, content: JsonObject): Definition {
  const hash = createHash('sha256')
    .update(canonicalJson([kind, content]))
    .digest('hex');
  return { kind, name, hash, content };
}
