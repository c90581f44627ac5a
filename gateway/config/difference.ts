import type { ConfigChange } from '../contract/config.ts';
import type { Config } from './schema.ts';

/**
 * What is different between two configurations, by path, in the order of the document. Groups, servers and providers
 * are matched by name, not by place. A value that may be a credential is shown as written: as a reference, or not.
 */
export function differences(before: Config, after: Config): ConfigChange[] {
  return compare('', before, after);
}

/** Top-level keys that hold from the next start of the gateway on, where they differ. */
export function needRestart(before: Config, after: Config): string[] {
  return (['listen', 'storage'] as const).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
}

function compare(path: string, before: unknown, after: unknown): ConfigChange[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [{ kind: 'added', path, after: shown(path, after) }];
  if (after === undefined) return [{ kind: 'removed', path, before: shown(path, before) }];
  const [from, to] = [named(before), named(after)];
  if (from !== undefined && to !== undefined) {
    return [...new Set([...from.keys(), ...to.keys()])].flatMap((key) =>
      compare(path + key, from.get(key), to.get(key)),
    );
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ kind: 'changed', path, before: shown(path, before), after: shown(path, after) }];
}

/** The parts of an object or of a list of named things, by what is written behind the path for each. */
function named(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) {
    const names = value.map((item: unknown) => (item as { name?: unknown } | null)?.name);
    if (value.length > 0 && !names.every((name) => typeof name === 'string')) return undefined;
    return new Map(value.map((item: unknown, index) => [`[${String(names[index])}]`, item]));
  }
  if (typeof value !== 'object' || value === null) return undefined;
  return new Map(Object.entries(value).map(([key, inner]: [string, unknown]) => [`.${key}`, inner]));
}

const MAY_HOLD_CREDENTIALS = /\.(env|headers)\.[^.]+$|\.apiKey$/;

/** A value's text; a written-out credential is not repeated. */
function shown(path: string, value: unknown): string {
  if (!MAY_HOLD_CREDENTIALS.test(path)) {
    return JSON.stringify(value, (key, inner: unknown) =>
      (key === 'env' || key === 'headers') && typeof inner === 'object' && inner !== null
        ? Object.fromEntries(Object.entries(inner).map(([name, text]) => [name, masked(text)]))
        : key === 'apiKey'
          ? masked(inner)
          : inner,
    );
  }
  return JSON.stringify(masked(value));
}

function masked(value: unknown): unknown {
  return typeof value === 'string' && !value.includes('${') ? '•••' : value;
}
