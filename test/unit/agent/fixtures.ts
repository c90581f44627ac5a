import type { CallRecord } from '../../../gateway/contract/activity.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { ServerState } from '../../../gateway/contract/registry.ts';
import { createShaper } from '../../../gateway/registry/shape.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import { WHOLE_SCOPE, type Principal } from '../../../gateway/identity/principal.ts';
import type { Call, Outcome, Pipeline } from '../../../gateway/pipeline/call.ts';
import type { Directory } from '../../../gateway/registry/directory.ts';
import type { ServerEntry } from '../../../gateway/registry/entry.ts';
import type { ActivityStore } from '../../../gateway/storage/contracts.ts';

export const OWNER: Principal = {
  subject: 'user:owner',
  tokenId: 't1',
  administrator: true,
  claims: { teams: [] },
  scope: WHOLE_SCOPE,
};
export const OTHER: Principal = { ...OWNER, subject: 'user:other', tokenId: 't2' };

export interface ServerSpec {
  readonly group: string;
  readonly name: string;
  readonly tools: readonly string[];
  /** Tools the caller may not use. */
  readonly hidden?: readonly string[];
  /** The caller may not see the server. */
  readonly invisible?: boolean;
  readonly state?: ServerState;
  readonly lastError?: string;
}

/** A directory of these servers, every tool of which takes any object. */
export function createDirectory(specs: readonly ServerSpec[]): Directory {
  const entries = specs.map(toEntry);
  const visible = entries.filter((_, index) => specs[index]?.invisible !== true);
  return {
    settled: () => Promise.resolve(),
    servers: () => visible,
    server: (_, name) => visible.find((entry) => [entry.fqn, entry.id, entry.name].includes(name)),
    tools: (_, entry) => {
      const spec = specs.find(({ group, name }) => entry.id === `${group}:${name}`);
      return entry.capabilities.tools.filter((tool) => spec?.hidden?.includes(tool.name) !== true);
    },
    withheld: () => undefined,
  };
}

function toEntry(spec: ServerSpec): ServerEntry {
  const parsed = parseConfig(
    `{ version: 1, groups: [{ name: "${spec.group}", servers: [{ name: "${spec.name}", command: x }] }] }`,
  );
  const config = parsed.ok ? parsed.config.groups[0]?.servers[0] : undefined;
  if (!config) throw new Error('the server is not valid configuration');
  const listed = [...spec.tools, ...(spec.hidden ?? [])].map((name) => ({
    name,
    inputSchema: { type: 'object' },
  }));
  return {
    id: `${spec.group}:${spec.name}`,
    fqn: `toolgate:${spec.group}:${spec.name}`,
    group: spec.group,
    name: spec.name,
    config,
    pinned: { id: `${spec.group}:${spec.name}`, fingerprint: '', mode: 'review' },
    pins: undefined,
    capabilities: { tools: listed, resources: [], templates: [], prompts: [] },
    ...createShaper([], (text) => text)(listed),
    quarantined: { tools: new Map(), prompts: new Set() },
    status: {
      state: spec.state ?? 'ready',
      stderrTail: [],
      declared: {},
      ...(spec.lastError ? { lastError: spec.lastError } : {}),
    },
  };
}

/** A pipeline whose upstream is a function; it keeps the calls it was given. */
export function createPipeline(
  answer: (call: Call) => Promise<Outcome> | Outcome,
): Pipeline & { readonly calls: Call[] } {
  const calls: Call[] = [];
  return {
    calls,
    run: async (call) => {
      calls.push(call);
      return answer(call);
    },
  };
}

export function textResult(text: string): Outcome {
  const result: JsonObject = { content: [{ type: 'text', text }] };
  return { ok: true, result };
}

/** An activity store in memory. */
export function createActivity(): ActivityStore & { readonly records: CallRecord[] } {
  const records: CallRecord[] = [];
  return {
    records,
    append: (record) => {
      records.push(record);
    },
    query: () => Promise.resolve(records.toReversed()),
    lastUse: () => Promise.resolve(new Map()),
    purge: () => Promise.resolve(0),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
