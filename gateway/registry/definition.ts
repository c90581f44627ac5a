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
  /** What of it looks like prompt injection; nothing, mostly. Looked for when it is asked for. */
  readonly found: readonly string[];
}

/** Says what of a definition looks like prompt injection. */
export type DefinitionCheck = (content: JsonObject) => readonly string[];

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

export function createDefinitionReader(check: DefinitionCheck): DefinitionReader {
  const known = new WeakMap<JsonObject, Definition | null>();
  return {
    read: (kind, item) => {
      let definition = known.get(item);
      if (definition === undefined) known.set(item, (definition = define(kind, item, check)));
      return definition ?? undefined;
    },
    instructions: (text) => toDefinition('instructions', '', text === undefined ? {} : { text }, check),
  };
}

function define(kind: 'tool' | 'prompt', item: JsonObject, check: DefinitionCheck): Definition | null {
  const fields = FIELDS[kind].filter((field) => item[field] !== undefined);
  try {
    return toDefinition(
      kind,
      String(item['name']),
      Object.fromEntries(fields.map((field) => [field, item[field]])),
      check,
    );
  } catch {
    return null;
  }
}

function toDefinition(kind: PinKind, name: string, content: JsonObject, check: DefinitionCheck): Definition {
  const hash = createHash('sha256')
    .update(canonicalJson([kind, content]))
    .digest('hex');
  let found: readonly string[] | undefined;
  return {
    ...{ kind, name, hash, content },
    get found() {
      return (found ??= check(content));
    },
  };
}
