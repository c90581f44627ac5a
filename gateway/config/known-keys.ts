import * as z from 'zod';
import { configSchema } from './schema.ts';

/** The part of JSON Schema that tells which keys an object may have. */
export interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly default?: unknown;
}

/** The JSON Schema (2020-12) of `toolgate.yaml`, for editors. */
export function configJsonSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
}

/** The keys that an object of this schema may have, given what it holds. */
export function knownKeys(node: SchemaNode | undefined, value: unknown): string[] {
  return [...new Set(alternatives(node, value).flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

/** The schema of what an object or list of this schema holds under a key; undefined when it is not known. */
export function schemaAt(
  node: SchemaNode | undefined,
  value: unknown,
  key: string | number,
): SchemaNode | undefined {
  for (const { items, properties, additionalProperties } of alternatives(node, value)) {
    if (typeof key === 'number') {
      if (items !== undefined) return items;
      continue;
    }
    if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
    if (typeof additionalProperties === 'object') return additionalProperties;
  }
  return undefined;
}

/** The words that a value of this schema may be, where it is one of a few. */
export function valuesOf(node: SchemaNode | undefined): string[] {
  const words = alternatives(node, undefined).flatMap((one) => [
    ...(one.enum ?? []),
    ...(one.const === undefined ? [] : [one.const]),
    ...(one.type === 'boolean' ? [true, false] : []),
  ]);
  return [...new Set(words.map(String))];
}

/** A node and its alternatives, less those that what the value says of its type rules out. */
function alternatives(node: SchemaNode | undefined, value: unknown): SchemaNode[] {
  if (node === undefined) return [];
  const choices = [...(node.oneOf ?? []), ...(node.anyOf ?? [])];
  const fitting = choices.filter(({ properties }) =>
    Object.entries(properties ?? {}).every(
      ([key, inner]) => inner.const === undefined || inner.const === at(value, key),
    ),
  );
  return [node, ...(fitting.length > 0 ? fitting : choices)];
}

/** What a value holds under a key; undefined when it holds nothing there. */
export function at(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string | number, unknown>)[key]
    : undefined;
}
