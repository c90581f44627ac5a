import type { JsonObject } from '../../../gateway/contract/json.ts';
import type { PinItem } from '../../../gateway/contract/pins.ts';
import type { Capabilities, Listed } from '../../../gateway/registry/entry.ts';
import type { Pinned } from '../../../gateway/registry/pin.ts';
import { pendingFor } from '../../../gateway/registry/pin-record.ts';
import { createPins, pinnedOf, type Pins } from '../../../gateway/registry/pins.ts';
import type { ConfigState, ConfigStore } from '../../../gateway/storage/contracts.ts';
import { configOf } from './support.ts';

export const CONFIG = configOf({ g: { s: ', tools: [{ match: old, rename: shown }]' } });
const [GROUP] = CONFIG.groups;
export const SERVER = pinnedOf(GROUP!, GROUP!.servers[0]!);
export const PARTS = ['tools', 'prompts', 'resources', 'templates'] as const;

export interface MemoryStore extends ConfigStore {
  writes: number;
}

export function memoryStore(): MemoryStore {
  let state: ConfigState = { version: 1, tokens: [], pins: [], consents: [] };
  const listeners = new Set<(state: ConfigState) => void>();
  const store: MemoryStore = {
    writes: 0,
    current: () => state,
    catchUp: () => undefined,
    update: (change) => {
      // As a file would give it back.
      state = JSON.parse(JSON.stringify(change(state))) as ConfigState;
      store.writes++;
      for (const listener of listeners) listener(state);
      return Promise.resolve(state);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
  return store;
}

export function capabilitiesOf(tools: readonly Listed[], prompts: readonly Listed[] = []): Capabilities {
  return { tools, prompts, resources: [], templates: [] };
}

export function world(
  store = memoryStore(),
  check: (content: JsonObject) => readonly string[] = () => [],
): { store: MemoryStore; pins: Pins; quarantined: string[][] } {
  const quarantined: string[][] = [];
  const onQuarantined = (_server: string, names: readonly string[]): void =>
    void quarantined.push([...names]);
  return {
    store,
    quarantined,
    pins: createPins({
      ...{ store, now: () => 1_000, onQuarantined },
      listings: {
        definitions: async (all) => all.map((one) => ({ ...one, found: check(one.content) })),
        resources: () => undefined,
      },
    }),
  };
}

export function list(
  pins: Pins,
  capabilities: Capabilities,
  clientCapabilities: JsonObject = {},
  server: Pinned = SERVER,
): Promise<void> {
  return pins.record(server, { clientCapabilities, capabilities, listed: new Set(PARTS) });
}

export function shown(pins: Pins, capabilities: Capabilities, signature = ''): string[] {
  return pins.judge(SERVER, capabilities, signature).capabilities.tools.map(({ name }) => name);
}

export function waiting(pins: Pins): PinItem[] {
  return (pins.find(SERVER)?.pins ?? []).flatMap(({ kind, name, versions }) =>
    versions.filter((one) => pendingFor(one).length > 0).map(({ hash }) => ({ kind, name, hash })),
  );
}
